//! `docent migrate`, the real binary: several at once, killed at any time, and a migration that is not the one that ran.

use std::process::Stdio;
use std::time::Instant;

use docent::config::Environment;

use crate::keys::{docent, say};
use crate::postgres::{connect, directory, options, started};

/// `DOCENT_MIGRATOR_KILLS` is how often one is killed.
const KILLS: u32 = 6;

struct Outcome {
    good: bool,
    said: String,
}

impl Outcome {
    fn applied(&self) -> usize {
        self.said.lines().filter(|line| line.starts_with("applied ")).count()
    }
}

async fn migrate(url: &str, arguments: &[&str]) -> Outcome {
    let mut command = docent(&["migrate"]);
    let output = command.args(arguments).env("DIRECT_DATABASE_URL", url).output().await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Outcome { good: output.status.success(), said }
}

/// An empty database beside the first one.
async fn database(url: &str, name: &str) -> String {
    connect(url).await.batch_execute(&format!("create database {name}")).await.unwrap();
    let mut url = url::Url::parse(url).unwrap();
    url.set_path(name);
    url.to_string()
}

/// Everything that the migrations make, in one number.
async fn shape(url: &str) -> String {
    let sql = "select md5(string_agg(c.oid::regclass || ' ' || c.relkind::text || ' ' || c.relowner::regrole, ',' order by c.oid::regclass::text))
               from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname in ('public', 'control', 'docent_meta')";
    connect(url).await.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn several_migrators_and_killed_ones_leave_one_schema() {
    let name = "several_migrators_and_killed_ones_leave_one_schema";
    let directory = directory();
    let Some(postgres) = started(name, options(&directory.path().join("postgres"))).await else { return };
    let first = postgres.url();

    let began = Instant::now();
    let all = tokio::join!(migrate(&first, &[]), migrate(&first, &[]), migrate(&first, &[]));
    let took = began.elapsed();
    let outcomes = [&all.0, &all.1, &all.2];
    outcomes.iter().for_each(|outcome| assert!(outcome.good, "{}", outcome.said));
    let applied: usize = outcomes.iter().map(|outcome| outcome.applied()).sum();
    let listed: i64 =
        connect(&first).await.query_one("select count(*) from docent_meta.migration", &[]).await.unwrap().get(0);
    assert_eq!(applied as i64, listed, "each migration ran once, whoever ran it");
    let whole = shape(&first).await;

    let kills = Environment::process().get("DOCENT_MIGRATOR_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let mut halfway = 0;
    for number in 1..=kills {
        let url = database(&first, &format!("killed_{number}")).await;
        let mut child = docent(&["migrate"]).env("DIRECT_DATABASE_URL", &url).stdout(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(took * number / (kills + 1)).await;
        child.kill().await.unwrap();
        let again = migrate(&url, &[]).await;
        assert!(again.good, "after a kill: {}", again.said);
        halfway += usize::from(again.applied() > 0 && (again.applied() as i64) < listed);
        assert_eq!(shape(&url).await, whole, "killed after {number} of {}", kills + 1);
        assert_eq!(migrate(&url, &["--check"]).await.said.trim(), format!("{listed} already applied"));
    }
    say(&format!("{kills} migrators killed, {halfway} with some migrations done and some not"));

    let client = connect(&first).await;
    let drift = "update docent_meta.migration set sha256 = '\\x00' where name = '0003_library'";
    client.batch_execute(drift).await.unwrap();
    let drifted = migrate(&first, &[]).await;
    assert!(!drifted.good && drifted.said.contains("migration_drift: 0003_library"), "{}", drifted.said);
    assert!(drifted.said.contains("next: Restore the file as released"), "{}", drifted.said);
    postgres.stop().await.unwrap();
}
