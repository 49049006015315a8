//! Many spenders at once on a few caps, on many connections of a real Postgres: no cap is passed, and nothing is lost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use docent::App;
use docent::clock::Clock;
use docent::usage::{self, Call, Kind, PaidBy, Spender, Spending, Used};
use futures_util::future::join_all;
use serde_json::json;
use uuid::Uuid;

use crate::usage::put_caps;
use crate::world::World;

/// One micro-dollar for a token: amounts are easy to read.
pub const PRICES: &str = r#"[{"provider":"acme","model":"m","input":1000000,"output":1000000,"embedding":1000000}]"#;

const CALL: Call<'static> =
    Call { kind: Kind::Chat, provider: "acme", model: "m", paid_by: PaidBy::Tenant, most_input: 0, most_output: 0 };

const SPENDERS: usize = 64;
/// Calls of each spender; `DOCENT_SPENDS` sets another number.
const SPENDS: usize = 8;

/// Every state that a counter passes through is compared with its cap by the database itself.
const WATCH: &str = "
    create table breach (subject text, spent bigint, reserved bigint, cap bigint);
    create function watch() returns trigger language plpgsql security definer as $$
    begin
      insert into breach select new.subject, new.spent_micros, new.reserved_micros, c.daily_micros
      from spend_cap c
      where c.tenant_id = new.tenant_id and c.paid_by = new.paid_by and c.subject = split_part(new.subject, ':', 1)
        and new.spent_micros + new.reserved_micros > c.daily_micros;
      return null;
    end $$;
    create trigger watch after insert or update on spend_day for each row execute function watch();";

/// A small generator with a fixed seed for each spender (xorshift, <https://www.jstatsoft.org/article/view/v008i14>).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[derive(Default)]
struct Tally {
    admitted: AtomicUsize,
    refused: AtomicUsize,
    killed: AtomicUsize,
}

pub async fn app(world: &World, pool: usize) -> App {
    let environment =
        world.environment.clone().with("DATABASE_POOL_SIZE", pool.to_string()).with("PRICES_JSON", PRICES);
    App::new(&environment).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_cap_is_passed_by_one_unit() {
    let world = World::new().await;
    let admin = world.admin().await;
    let caps = json!({ "tenant": "0.03", "token": "0.011", "visitor": "0.006" });
    assert_eq!(put_caps(&world.tenant_a, caps).await.status, 200);
    admin.batch_execute(WATCH).await.unwrap();
    let spends = std::env::var_os("DOCENT_SPENDS").map_or(SPENDS, |n| n.to_str().unwrap().parse().unwrap());
    let (app, tally) = (app(&world, 24).await, Tally::default());
    let spenders = (0..SPENDERS).map(|number| spender(&app, &world, number, spends, &tally));
    join_all(spenders).await;

    let breaches = admin.query_one("select count(*), coalesce(max(subject), '') from breach", &[]).await.unwrap();
    assert_eq!(breaches.get::<_, i64>(0), 0, "{} passed its cap", breaches.get::<_, String>(1));
    let count = |count: &AtomicUsize| count.load(Ordering::SeqCst);
    let seen = (count(&tally.admitted), count(&tally.refused), count(&tally.killed));
    assert!(seen.0 > 20 && seen.1 > 20 && seen.2 > 20, "admitted, refused, killed: {seen:?}");

    // What the killed left open is settled in full; then the counters say what the ledger says.
    agree(&admin).await;
    let later = app.clock.now() + Duration::from_secs(usage::STALE_SECONDS as u64 + 60);
    let tx = app.db.tenant(world.tenant_a.tenant).await.unwrap();
    while usage::settle_stale(&tx, later).await.unwrap() > 0 {}
    tx.commit().await.unwrap();
    agree(&admin).await;
    let sums = "select coalesce(sum(reserved_micros), 0)::int8, max(spent_micros) from spend_day";
    let sums = admin.query_one(sums, &[]).await.unwrap();
    assert_eq!(sums.get::<_, i64>(0), 0, "nothing is held any more");
    let breaches = admin.query_one("select count(*) from breach", &[]).await.unwrap();
    assert_eq!(breaches.get::<_, i64>(0), 0, "not by settling either");

    // What is left is there to the last unit, and no further.
    let left = 30_000 - u64::try_from(sums.get::<_, i64>(1)).unwrap();
    for (amount, fits) in [(left + 1, false), (left, true), (1, false)] {
        let by = Spender { token: None, visitor: None, tenant: world.tenant_a.tenant };
        let spending = Spending::new(&app, by, &Call { most_input: amount, ..CALL });
        let tx = app.db.tenant(world.tenant_a.tenant).await.unwrap();
        assert_eq!(tx.finish(spending.reserve(&tx)).await.is_ok(), fits, "{amount} of {left}");
    }
}

async fn spender(app: &App, world: &World, number: usize, spends: usize, tally: &Tally) {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15 ^ ((number as u64 + 1) << 20));
    let tenant = world.tenant_a.tenant;
    for _ in 0..spends {
        let token = Some(Uuid::from_u128(u128::from(chance.below(4))));
        let visitor = Some(format!("v{}", chance.below(9))).filter(|_| !chance.0.is_multiple_of(3));
        let most = chance.below(900) + 1;
        let spending = Spending::new(app, Spender { tenant, token, visitor }, &Call { most_input: most, ..CALL });
        let reserve = async {
            let tx = app.db.tenant(tenant).await?;
            tx.finish(spending.reserve(&tx)).await
        };
        match killed(reserve, &mut chance).await {
            None => tally.killed.fetch_add(1, Ordering::SeqCst),
            Some(Err(error)) => {
                assert_eq!(error.code(), "spend_cap_reached", "{error:?}");
                tally.refused.fetch_add(1, Ordering::SeqCst)
            }
            Some(Ok(capped)) => {
                assert!(capped);
                tally.admitted.fetch_add(1, Ordering::SeqCst)
            }
        };
        // Others go on meanwhile, so that spendings are settled in another order than they were reserved.
        tokio::time::sleep(Duration::from_millis(chance.below(20))).await;
        let used = Used { input_tokens: chance.below(most + 1), ..Used::default() };
        let settle = async {
            let tx = app.db.tenant(tenant).await?;
            if used.input_tokens == 0 {
                return tx.finish(spending.release(&tx)).await;
            }
            tx.finish(spending.settle(&tx, used)).await
        };
        if let Some(settled) = killed(settle, &mut chance).await {
            settled.unwrap();
        }
    }
}

/// Lets every third piece of work be dropped at some moment, as a function's end would.
async fn killed<T>(work: impl Future<Output = T>, chance: &mut Chance) -> Option<T> {
    match chance.below(3) {
        0 => tokio::time::timeout(Duration::from_micros(chance.below(30_000)), work).await.ok(),
        _ => Some(work.await),
    }
}

/// Each counter is the sum of the ledger's rows that were booked on it.
async fn agree(admin: &tokio_postgres::Client) {
    let sql = "select d.subject, d.spent_micros, d.reserved_micros,
                 coalesce(sum(u.settled_micros), 0)::int8, coalesce(sum(u.reserved_micros) filter (where u.settled_at is null), 0)::int8
               from spend_day d left join usage_ledger u
                 on u.tenant_id = d.tenant_id and u.day = d.day and u.paid_by = d.paid_by and d.subject = any(u.subjects)
               group by 1, 2, 3";
    let rows = admin.query(sql, &[]).await.unwrap();
    assert!(rows.len() > 8, "only {} counters", rows.len());
    for row in rows {
        let [spent, reserved, settled, held] = [1, 2, 3, 4].map(|column| row.get::<_, i64>(column));
        assert_eq!((spent, reserved), (settled, held), "{}", row.get::<_, String>(0));
    }
}

#[tokio::test]
async fn a_day_ends_at_midnight_in_utc_and_each_keeps_its_own() {
    let world = World::new().await;
    let tenant = world.tenant_a.tenant;
    assert_eq!(put_caps(&world.tenant_a, json!({ "tenant": "0.0001" })).await.status, 200);
    let app = app(&world, 2).await;
    let at = |time: &str| app.clone().with_clock(Clock::fixed(time.parse().unwrap()));
    let (evening, morning) = (at("2031-05-01T23:59:57Z"), at("2031-05-02T00:00:00Z"));
    let plan = |app: &App| Spending::new(app, Spender::documents(tenant), &Call { most_input: 100, ..CALL });
    let (first, second, third) = (plan(&evening), plan(&evening), plan(&morning));
    let reserve = async |spending: &Spending| {
        let tx = app.db.tenant(tenant).await.unwrap();
        tx.finish(spending.reserve(&tx)).await
    };
    assert!(reserve(&first).await.unwrap());
    let refused = reserve(&second).await.unwrap_err();
    assert_eq!((refused.code(), refused.retry_after, refused.retryable()), ("spend_cap_reached", Some(3), false));
    assert!(refused.hint.contains("`tenant`") && refused.hint.contains("/api/usage/caps"), "{refused}");
    assert!(reserve(&third).await.unwrap(), "a new day");

    // Settled on the day on which it was reserved, whenever that is.
    let tx = app.db.tenant(tenant).await.unwrap();
    tx.finish(first.settle(&tx, Used { input_tokens: 40, ..Used::default() })).await.unwrap();
    let days = "select day::text, spent_micros, reserved_micros from spend_day order by day";
    let rows = world.admin().await.query(days, &[]).await.unwrap();
    let days: Vec<(String, i64, i64)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(days, [("2031-05-01".to_owned(), 40, 0), ("2031-05-02".to_owned(), 0, 100)]);
}

#[tokio::test]
async fn a_cap_that_is_made_later_knows_what_was_spent_before() {
    let world = World::new().await;
    let (app, tenant) = (app(&world, 2).await, world.tenant_a.tenant);
    let (token, visitor) = (Some(Uuid::from_u128(7)), Some("anna".to_owned()));
    let plan = |visitor: Option<&str>, most: u64| {
        let by = Spender { tenant, token, visitor: visitor.map(str::to_owned) };
        Spending::new(&app, by, &Call { most_input: most, ..CALL })
    };
    let reserve = async |spending: &Spending| {
        let tx = app.db.tenant(tenant).await.unwrap();
        tx.finish(spending.reserve(&tx)).await
    };
    let settle = async |spending: &Spending, tokens: u64| {
        let tx = app.db.tenant(tenant).await.unwrap();
        tx.finish(spending.settle(&tx, Used { input_tokens: tokens, ..Used::default() })).await.unwrap();
    };
    let (early, open) = (plan(visitor.as_deref(), 100), plan(Some("ben"), 30));
    assert!(!reserve(&early).await.unwrap() && !reserve(&open).await.unwrap(), "no cap binds yet");
    settle(&early, 60).await;

    assert_eq!(put_caps(&world.tenant_a, json!({ "tenant": "0.0001", "visitor": "0.000065" })).await.status, 200);
    assert!(reserve(&plan(Some("anna"), 6)).await.is_err(), "anna spent 60 of 65 already");
    assert!(reserve(&plan(Some("carla"), 11)).await.is_err(), "90 of 100 are spent or open");
    let last = plan(Some("carla"), 10);
    assert!(reserve(&last).await.unwrap());
    let shown = world.tenant_a.get("/api/usage").await.json();
    crate::usage::matches(
        &shown["today"],
        &[
            json!({ "subject": "tenant", "paidBy": "tenant", "spentUsd": "0.00009", "reservedUsd": "0.00001", "capUsd": "0.0001", "leftUsd": "0.00" }),
            json!({ "subject": "visitor:anna", "spentUsd": "0.00006", "leftUsd": "0.000005" }),
            json!({ "subject": "visitor:carla", "reservedUsd": "0.00001" }),
        ],
    );

    // Taken away and made again: what happened in between counts too, and what is held is still held.
    assert_eq!(put_caps(&world.tenant_a, json!({})).await.status, 200);
    assert!(!reserve(&plan(None, 1)).await.unwrap());
    settle(&last, 4).await;
    assert_eq!(put_caps(&world.tenant_a, json!({ "tenant": "0.0001" })).await.status, 200);
    assert!(reserve(&plan(None, 6)).await.is_err(), "60 settled, 30 open, 1 open, 4 settled");
    assert!(reserve(&plan(None, 5)).await.unwrap());
}

#[tokio::test]
async fn one_token_may_have_a_cap_of_its_own_and_the_operators_account_is_apart() {
    let world = World::new().await;
    let tenant = world.tenant_a.tenant;
    let environment = world
        .environment
        .clone()
        .with("PRICES_JSON", PRICES)
        .with("OPERATOR_SPEND_CAP_DAILY_USD", "0.00005")
        .with("OPENAI_API_KEY", "sk-operators");
    let app = App::new(&environment).unwrap();
    let rich = Uuid::from_u128(1);
    let caps = json!({ "token": "0.00001", format!("token:{rich}"): "0.0001" });
    assert_eq!(put_caps(&world.tenant_a, caps).await.status, 200);
    let reserve = async |token: u128, most_input: u64, paid_by: PaidBy| {
        let by = Spender { tenant, token: Some(Uuid::from_u128(token)), visitor: None };
        let spending = Spending::new(&app, by, &Call { most_input, paid_by, ..CALL });
        let tx = app.db.tenant(tenant).await.unwrap();
        tx.finish(spending.reserve(&tx)).await
    };
    assert!(reserve(2, 11, PaidBy::Tenant).await.is_err() && reserve(2, 10, PaidBy::Tenant).await.is_ok());
    assert!(reserve(1, 101, PaidBy::Tenant).await.is_err() && reserve(1, 100, PaidBy::Tenant).await.is_ok());
    // Free of the tenant's caps, bound by the operator's, which the tenant cannot lift.
    let refused = reserve(2, 51, PaidBy::Operator).await.unwrap_err();
    assert!(refused.hint.contains("operator") && refused.hint.contains("/api/keys/acme"), "{refused}");
    assert!(reserve(2, 50, PaidBy::Operator).await.unwrap());
    assert_eq!(put_caps(&world.tenant_a, json!({})).await.status, 200);
    assert_eq!(put_caps(&world.tenant_a, json!({ "tenant": "1000000" })).await.status, 200);
    assert!(reserve(2, 1, PaidBy::Operator).await.is_err());
}
