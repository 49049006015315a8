//! Every fault of a provider, in seven dialects, under seeds that come again: each answer ends as it must, what was shown
//! is what is stored, one bill is settled, and nobody is asked more often than promised.
//!
//! `DOCENT_FAULTS=20 cargo test -p docent --test it faults:: -- --nocapture` runs 20 seeds of each fault and dialect;
//! `DOCENT_FAULT=cut` runs that one alone. A violation names its fault, dialect and seed.

mod lane;
mod plan;
mod provider;
mod report;
mod run;
mod table;
mod wire;

use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use docent::App;
use docent::config::Environment;
use docent::function::{self, Files};
use docent_llm::{Limits, Transport};
use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::dice::{Dice, mixed};
use crate::usage::put_caps;
use crate::world::{Client, World};
use lane::Lane;
use plan::{DEADLINE, Draft, FIRST_BYTE, IDLE, RETRIES, TOTAL};
use report::Report;
use table::{FAULTS, Fault};
use wire::VENDORS;

/// Seeds of each fault and dialect unless `DOCENT_FAULTS` says otherwise.
const SEEDS: u64 = 2;
/// One run in so many waits for the whole answer instead of reading a stream.
const WHOLE: usize = 4;
/// The provider sees a client go this soon, 99 times of a hundred.
const CANCELLED: Duration = Duration::from_millis(250);

const MOON: &[u8] = b"The Moon orbits the Earth at a mean distance of 384400 kilometres.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_in_every_dialect_ends_as_it_must() {
    let environment = Environment::process();
    let seeds = environment.get("DOCENT_FAULTS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let only = environment.get("DOCENT_FAULT");
    let faults: Vec<(usize, &Fault)> =
        FAULTS.iter().enumerate().filter(|(_, fault)| only.is_none_or(|only| only == fault.name)).collect();
    assert!(!faults.is_empty(), "no fault is called {only:?}");

    let (world, clients) = asking().await;
    let (report, turn) = (Mutex::new(Report::new()), RwLock::new(()));
    let lanes = VENDORS.map(|vendor| {
        let (world, clients, faults, shared) = (&world, clients.clone(), &faults, (&report, &turn));
        async move {
            let lane = Lane::new(vendor, clients, world.admin().await).await;
            for seed in 0..seeds {
                for (place, fault) in faults {
                    play(&lane, (*place, fault), seed, shared).await;
                }
            }
        }
        .boxed_local()
    });
    join_all(lanes).await;

    let report = report.into_inner().unwrap();
    report.print();
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    if let Some(slow) = report.cancelled(99) {
        assert!(slow <= CANCELLED, "the provider saw a client go after {slow:?}");
    }
    nothing_is_held(&world).await;
}

/// Plays a run beside those of the other lanes. A time that was missed there is measured again alone, and counts then:
/// seven runs at once on a busy machine may need longer than a limit by themselves.
async fn play(lane: &Lane, (place, fault): (usize, &Fault), seed: u64, (report, turn): (&Mutex<Report>, &RwLock<()>)) {
    let vendor = lane.provider.vendor;
    let mut draft = Draft { vendor, dice: Dice::new(mixed(seed * 10_000 + (place * 10 + vendor as usize) as u64)) };
    let plan = (fault.plan)(&mut draft);
    let whole = plan.leaves.is_none() && draft.dice.below(WHOLE) == 0;
    // The model's name is the run's: nothing that one run leaves behind touches another, nor does a breaker.
    let name = format!("{}-{place}-{seed}", vendor.name());
    let once = async |name: &str| {
        lane.begin(&plan, name, seed).await;
        run::run(lane, &plan, name, whole).await
    };
    let together = turn.read().await;
    let mut outcome = once(&name).await;
    drop(together);
    if outcome.as_ref().is_err_and(|why| why.starts_with(run::LATE)) {
        let _alone = turn.write().await;
        report.lock().unwrap().again += 1;
        outcome = once(&format!("{name}-again")).await;
    }
    let run = format!("{vendor:?} seed {seed}, {}", if whole { "whole" } else { "streamed" });
    report.lock().unwrap().add(place, fault.name, &run, outcome);
}

/// Two tenants with a document and a cap, behind limits that a test can wait for.
async fn asking() -> (World, [Client; 3]) {
    let mut world = World::new().await;
    let price = |name: String| json!({ "provider": name, "model": "*", "input": 1_000_000, "output": 1_000_000 });
    let names = VENDORS.iter().flat_map(|vendor| [vendor.name().to_owned(), lane::spare_name(*vendor)]);
    let prices = Value::from_iter(names.map(price)).to_string();
    let environment = world.environment.clone().with("PRICES_JSON", prices).with("DATABASE_POOL_SIZE", "8");
    let router = router_of(&environment);
    let hurried = router_of(&environment.with("ANSWER_SECONDS", DEADLINE.as_secs().to_string()));
    let (a, b) = (world.tenant_a.clone(), world.tenant_b.clone());
    for client in [&a, &b] {
        world.ready(client, "moon.txt", MOON).await;
        assert_eq!(put_caps(client, json!({ "tenant": "1000000" })).await.status, 200);
    }
    (world, [a.through(&router), b.through(&router), a.through(&hurried)])
}

fn router_of(environment: &Environment) -> Router {
    let mut app = App::new(environment).unwrap();
    app.llm.transport = Transport::new(Limits {
        first_byte: FIRST_BYTE,
        idle: IDLE,
        total: TOTAL,
        retries: RETRIES as u32,
        allow_loopback: true,
        ..Limits::default()
    });
    function::everything(Files::new(environment, app).unwrap())
}

/// What was reserved is given back to the last unit, and what was spent is what the ledger says.
async fn nothing_is_held(world: &World) {
    let sql = "select coalesce(sum(d.reserved_micros), 0)::int8, coalesce(sum(d.spent_micros), 0)::int8,
                 (select coalesce(sum(u.settled_micros), 0)::int8 from usage_ledger u) from spend_day d";
    let row = world.admin().await.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0, "reserved and never given back");
    assert_eq!(row.get::<_, i64>(1), row.get::<_, i64>(2), "the counters and the ledger");
}
