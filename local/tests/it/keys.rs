//! `docent keys rotate`, the real binary, killed again and again while everybody goes on reading and saving keys.

use std::cell::Cell;
use std::collections::HashMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine;
use docent::auth::{self, NewTenant, TenantId};
use docent::clock::Clock;
use docent::config::{self, Environment};
use docent::db::{Db, Role, migrate};
use docent::keys::{self, Masters, NewKey};
use docent_local::postgres::Postgres;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::process::Command;

use crate::postgres::{connect, directory, options, started};

/// `DOCENT_ROTATION=10000,100` (keys, kills) is the full count.
const KEYS: usize = 500;
const KILLS: usize = 8;
const KEYS_OF_A_TENANT: usize = 25;
const READERS: usize = 3;
/// A rotation goes on to the next of these; the one after the last is the first again.
const MASTERS: [&str; 3] = ["r0", "r1", "r2"];
const NOBODY: &str = "http://127.0.0.1:9/v1";

/// Another master for each id, the same one every time.
pub fn master(id: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(id))
}

fn masters(ids: &[&str], current: &str) -> Masters {
    let environment = Environment::default().with("MASTER_KEY_CURRENT", current);
    let add = |environment: Environment, id: &&str| environment.with(&format!("MASTER_KEY_{id}"), master(id));
    Masters::read(&ids.iter().fold(environment, add)).unwrap()
}

/// A migrated database of its own, as the operator and as the app see it.
struct Place {
    operator: Db,
    app: Db,
    postgres: Postgres,
    _directory: TempDir,
}

impl Place {
    async fn new(test: &str) -> Option<Place> {
        let directory = directory();
        let postgres = started(test, options(&directory.path().join("data"))).await?;
        let admin = postgres.url();
        let mut app = url::Url::parse(&admin).unwrap();
        app.set_username("docent_app").unwrap();
        app.set_password(Some("app-password-of-the-tests")).unwrap();
        migrate::run(&admin, Some(app.as_str()), migrate::Plan::Apply).await.unwrap();
        let open = |url: &str, role| Db::new(&config::Database { url: url.to_owned(), pool_size: READERS + 1 }, role);
        let (operator, app) = (open(&admin, Role::Operator).unwrap(), open(app.as_str(), Role::App).unwrap());
        Some(Place { operator, app, postgres, _directory: directory })
    }

    async fn tenant(&self) -> TenantId {
        let new = NewTenant { name: "Rotated", embedding_model: "hash-384" };
        auth::create_tenant(&self.operator, &Clock::system(), new).await.unwrap().0
    }

    async fn save(&self, masters: &Masters, tenant: TenantId, provider: &str, text: &str) -> Result<(), docent::Error> {
        let (key, base_url) = (SecretString::from(text), NOBODY.parse().unwrap());
        let new = NewKey { provider, base_url: &base_url, key: &key };
        let sealed = keys::seal(masters, &Clock::system(), tenant, new)?;
        let tx = self.app.tenant(tenant).await?;
        tx.finish(keys::save(&tx, &sealed)).await.map(drop)
    }

    /// All keys of a tenant, opened.
    async fn read(&self, masters: &Masters, tenant: TenantId) -> Result<HashMap<String, String>, docent::Error> {
        let tx = self.app.tenant(tenant).await?;
        let sealed = tx.finish(keys::all(&tx)).await?;
        let open = |sealed: &keys::Sealed| {
            let text = keys::open(masters, &tenant, sealed)?;
            Ok((sealed.provider.clone(), text.expose_secret().to_owned()))
        };
        sealed.iter().map(open).collect()
    }

    fn docent(&self, arguments: &[&str], current: &str) -> Command {
        let mut command = docent(arguments);
        command.env("DIRECT_DATABASE_URL", self.postgres.url()).env("MASTER_KEY_CURRENT", current);
        for id in MASTERS {
            command.env(format!("MASTER_KEY_{id}"), master(id));
        }
        command
    }
}

/// The real binary with nothing of this process's environment.
pub fn docent(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docent"));
    command.args(arguments).env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn provider(number: usize) -> String {
    format!("p{number}")
}

fn text(tenant: TenantId, number: usize) -> String {
    format!("sk-{}-{number:04}", tenant.uuid().simple())
}

#[tokio::test]
async fn keys_are_read_and_saved_while_their_rotation_is_killed_again_and_again() {
    let name = "keys_are_read_and_saved_while_their_rotation_is_killed_again_and_again";
    let Some(place) = Place::new(name).await else { return };
    let (wanted_keys, wanted_kills) = counts();
    let first = masters(&MASTERS, MASTERS[0]);
    let mut tenants = Vec::new();
    for _ in 0..wanted_keys.div_ceil(KEYS_OF_A_TENANT) {
        let tenant = place.tenant().await;
        for number in 0..KEYS_OF_A_TENANT {
            place.save(&first, tenant, &provider(number), &text(tenant, number)).await.unwrap();
        }
        tenants.push(tenant);
    }
    let admin = connect(&place.postgres.url()).await;
    let before = payloads(&admin).await;
    let busy = place.tenant().await;

    let load = Load { place: &place, tenants: &tenants, busy, current: Cell::new(0), stop: Cell::new(false) };
    let readers = futures_util::future::join_all((0..READERS).map(|number| load.read(number as u64)));
    let (report, reads, saves) = tokio::join!(load.rotate(&admin, wanted_kills), readers, load.save());

    let current = MASTERS[load.current.get()];
    let newest = masters(&[current], current);
    for tenant in &tenants {
        let opened = place.read(&newest, *tenant).await.unwrap();
        let kept = (0..KEYS_OF_A_TENANT).map(|number| (provider(number), text(*tenant, number))).collect();
        assert_eq!(opened, kept, "every key opens under the current master alone");
    }
    let last = place.read(&newest, busy).await.unwrap();
    assert_eq!(last.into_iter().collect::<Vec<_>>(), [("p0".to_owned(), format!("sk-saved-{saves}"))]);
    assert_eq!(payloads(&admin).await, before, "a rotation exchanges the wrap and leaves the payload alone");
    let reads: usize = reads.into_iter().sum();
    let keys = tenants.len() * KEYS_OF_A_TENANT;
    let Report { rotations, kills, halfway } = report;
    say(&format!(
        "{keys} keys of {} tenants rotated {rotations} times, killed {kills} times ({halfway} with some keys exchanged \
         and some not); {reads} reads meanwhile, 0 failed; {saves} saves meanwhile, 0 lost; 0 unreadable",
        tenants.len()
    ));
    assert!(kills >= wanted_kills && halfway > 0 && reads > kills && saves > 0);
    place.postgres.stop().await.unwrap();
}

/// What goes on beside the rotation, on one thread; `current` is the master that the rotation is under way to.
struct Load<'a> {
    place: &'a Place,
    tenants: &'a [TenantId],
    /// Its only key is saved anew all the time.
    busy: TenantId,
    current: Cell<usize>,
    stop: Cell<bool>,
}

#[derive(Default)]
struct Report {
    rotations: usize,
    kills: usize,
    halfway: usize,
}

impl Load<'_> {
    async fn rotate(&self, admin: &tokio_postgres::Client, kills: usize) -> Report {
        let mut report = Report::default();
        let mut dice = Dice(0x5eed);
        // The first one is left alone: its length is what the moments of the kills are drawn from.
        let started = Instant::now();
        self.rotated(MASTERS[1]).await;
        let longest = started.elapsed();
        report.rotations = 1;
        while report.kills < kills {
            self.current.set((self.current.get() + 1) % MASTERS.len());
            let current = MASTERS[self.current.get()];
            loop {
                let mut child = self.place.docent(&["keys", "rotate"], current);
                let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
                let moment = longest.mul_f64(dice.below(1000) as f64 / 1000.0);
                if let Ok(ended) = tokio::time::timeout(moment, child.wait()).await {
                    assert!(ended.unwrap().success());
                    break;
                }
                child.kill().await.unwrap();
                report.kills += 1;
                let (exchanged, all) = exchanged(admin, current).await;
                report.halfway += usize::from(0 < exchanged && exchanged < all);
            }
            self.checked(current).await;
            report.rotations += 1;
        }
        self.stop.set(true);
        report
    }

    /// A rotation that nobody disturbs.
    async fn rotated(&self, current: &'static str) {
        let check = self.place.docent(&["keys", "rotate", "--check", "--json"], current).output().await.unwrap();
        assert_eq!(check.status.code(), Some(1), "nothing is under the new one yet");
        let keys = self.tenants.len() * KEYS_OF_A_TENANT;
        let counted: Value = serde_json::from_slice(&check.stdout).unwrap();
        assert!(counted["keys"][MASTERS[0]].as_u64().unwrap() >= keys as u64, "{counted}");
        self.current.set(1);
        let output = self.place.docent(&["keys", "rotate", "--json"], current).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let done: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(done["rewrapped"].as_u64().unwrap() >= keys as u64, "{done}");
        assert_eq!((&done["unreadable"], &done["behind"]), (&serde_json::json!([]), &serde_json::json!(0)));
        self.checked(current).await;
    }

    async fn checked(&self, current: &str) {
        let check = self.place.docent(&["keys", "rotate", "--check"], current).output().await.unwrap();
        assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stdout));
    }

    /// Opens a random key of a random tenant, again and again; gives how often.
    async fn read(&self, seed: u64) -> usize {
        let all = masters(&MASTERS, MASTERS[0]);
        let (mut dice, mut reads) = (Dice(seed), 0);
        while !self.stop.get() {
            let tenant = self.tenants[dice.below(self.tenants.len())];
            let tx = self.place.app.tenant(tenant).await.unwrap();
            let sealed = tx.finish(keys::all(&tx)).await.expect("a read never fails");
            assert_eq!(sealed.len(), KEYS_OF_A_TENANT);
            let number = dice.below(KEYS_OF_A_TENANT);
            let key = sealed.iter().find(|key| key.provider == provider(number)).unwrap();
            let opened = keys::open(&all, &tenant, key).expect("a key is readable at every moment");
            assert_eq!(opened.expose_secret(), text(tenant, number));
            reads += 1;
        }
        reads
    }

    /// Saves a key again and again, as a process does that knows the newest master; gives how often.
    async fn save(&self) -> usize {
        let mut saves = 0;
        while !self.stop.get() {
            let current = masters(&MASTERS, MASTERS[self.current.get()]);
            self.place.save(&current, self.busy, "p0", &format!("sk-saved-{}", saves + 1)).await.unwrap();
            saves += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        saves
    }
}

/// How many keys are under a master, and how many there are.
async fn exchanged(admin: &tokio_postgres::Client, current: &str) -> (i64, i64) {
    let sql = "select count(*) filter (where substring(sealed from 2 for 4) = $1), count(*) from provider_key";
    let mut id = current.as_bytes().to_vec();
    id.resize(4, 0);
    let row = admin.query_one(sql, &[&id]).await.unwrap();
    (row.get(0), row.get(1))
}

/// Everything behind the wrap of every key but the busy tenant's, as one digest.
async fn payloads(admin: &tokio_postgres::Client) -> String {
    let sql = "select md5(string_agg(encode(substring(sealed from 78), 'hex'), ',' order by tenant_id, id))
               from provider_key where last4 not like '%saved%' and tenant_id in
                 (select tenant_id from provider_key group by tenant_id having count(*) > 1)";
    admin.query_one(sql, &[]).await.unwrap().get(0)
}

fn counts() -> (usize, usize) {
    let environment = Environment::process();
    let Some(counts) = environment.get("DOCENT_ROTATION") else { return (KEYS, KILLS) };
    let (keys, kills) = counts.split_once(',').expect("DOCENT_ROTATION is keys,kills");
    (keys.parse().unwrap(), kills.parse().unwrap())
}

/// Past the test runner, which swallows what a passing test prints.
pub fn say(what: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(format!("{what}\n").as_bytes());
}

#[tokio::test]
async fn a_key_that_cannot_be_opened_is_named_and_fails_the_rotation() {
    let name = "a_key_that_cannot_be_opened_is_named_and_fails_the_rotation";
    let Some(place) = Place::new(name).await else { return };
    let tenant = place.tenant().await;
    let none = place.docent(&["keys", "rotate", "--check"], "r0").output().await.unwrap();
    assert_eq!((none.status.code(), none.stdout.as_slice()), (Some(0), b"no keys\n".as_slice()));
    place.save(&masters(&["gone"], "gone"), tenant, "acme", "sk-of-a-lost-master").await.unwrap();
    place.save(&masters(&["r0"], "r0"), tenant, "bolt", "sk-of-a-known-master").await.unwrap();
    let output = place.docent(&["keys", "rotate"], "r1").output().await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert!(out.starts_with("1 rewrapped under `r1`, 0 were already\n"), "{out}");
    let reason = "acme: the blob names the master key `gone`, which is not configured";
    assert!(out.contains(&format!("unreadable: tenant {} {reason}", tenant.uuid())), "{out}");
    assert!(err.contains("1 keys are not under `r1`; 1 of them cannot be opened."), "{err}");
    let check = place.docent(&["keys", "rotate", "--check"], "r1").output().await.unwrap();
    let out = String::from_utf8_lossy(&check.stdout);
    assert_eq!((check.status.code(), &*out), (Some(1), "gone  1\nr1    1  (current)\n"));
    place.postgres.stop().await.unwrap();
}

/// What a start says to master keys that a person made up, and that it never repeats them.
#[tokio::test]
async fn weak_master_keys_stop_the_start_with_the_reason() {
    let text = "this-is-a-32-character-password!";
    let zeros = base64::engine::general_purpose::STANDARD.encode([0; 32]);
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    let cases = [
        ("ENCRYPTION_KEY", text, "ENCRYPTION_KEY: is 32 characters, not 32 random bytes."),
        ("ENCRYPTION_KEY", "short", "ENCRYPTION_KEY: is not base64."),
        ("MASTER_KEY_k1", &zeros, "MASTER_KEY_k1: is a sequence, not random bytes."),
        ("MASTER_KEY_k1", &encoded, "MASTER_KEY_k1: is text, not random bytes."),
        ("MASTER_KEY_k1", "c2hvcnQ=", "MASTER_KEY_k1: does not hold 32 bytes."),
    ];
    for (variable, value, reason) in cases {
        for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["keys", "rotate"]] {
            let mut command = docent(arguments);
            command.env(variable, value).env("MASTER_KEY_CURRENT", "k1");
            command.env("DATABASE_URL", "postgres://docent_app:p@127.0.0.1:9/none");
            let output = command.output().await.unwrap();
            let err = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{arguments:?} {variable}: {err}");
            assert!(err.contains(reason), "{arguments:?}: {err}");
            assert!(err.contains("openssl rand -base64 32") && !err.contains(value), "{err}");
        }
    }
}

/// SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}
