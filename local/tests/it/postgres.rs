//! The embedded Postgres as a laptop and a test see it: start, keep, refuse, die with the parent.
use docent_local::postgres::{self, Error, Options, Postgres};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_postgres::NoTls;

const HOLD: &str = "DOCENT_TEST_HOLD_POSTGRES_IN";

fn quiet(_: &str) {}

/// Binaries are kept between test runs; a machine without them and without pip prints what was not run.
fn cache() -> PathBuf {
    postgres::reachable(Path::new(env!("CARGO_TARGET_TMPDIR"))).join("cache")
}

pub fn options(data: &Path) -> Options {
    Options { fast: true, ..Options::new(data, cache()) }
}

/// Open to the user that root hands the server to.
pub fn directory() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir_in("/var/tmp").unwrap()
}

pub async fn started(test: &str, options: Options) -> Option<Postgres> {
    match postgres::start(options, &quiet).await {
        Ok(postgres) => Some(postgres),
        Err(error) if matches!(error.code(), "no_pip" | "download_failed" | "unsupported_platform") => {
            crate::not_run(&format!("{test} (needs the embedded Postgres: {error}; {})", error.hint()));
            None
        }
        Err(error) => panic!("{error}: {}", error.hint()),
    }
}

pub async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    // On a thread of its own: a bare spawn is forbidden in this workspace.
    tokio::task::spawn_blocking(move || tokio::runtime::Handle::current().block_on(connection));
    client
}

/// The log is locked by every process of the server, so an unlocked log means that none is left.
fn wait_until_nothing_is_left(data: &Path) {
    let log = File::open(data.join("postgres.log")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(15);
    while log.try_lock().is_err() {
        assert!(Instant::now() < deadline, "a process of the server is still alive");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn vectors_work_and_data_outlives_a_restart_but_not_a_fresh_start() {
    let directory = directory();
    let data = directory.path().join("data");
    let name = "vectors_work_and_data_outlives_a_restart_but_not_a_fresh_start";
    let Some(first) = started(name, options(&data)).await else { return };
    let client = connect(&first.url()).await;
    let create = "create extension vector; create table kept (place vector(3)); insert into kept values ('[1,2,3]')";
    client.batch_execute(create).await.unwrap();
    let row = client.query_one("select current_setting('server_version_num')::int / 10000, lower('ÄÉΩ')", &[]).await;
    let row = row.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1)), (18, "äéω"));
    let url = first.url();
    first.stop().await.unwrap();
    wait_until_nothing_is_left(&data);

    let second = postgres::start(options(&data), &quiet).await.unwrap();
    let client = connect(&second.url()).await;
    let row = client.query_one("select (place <-> '[1,2,4]')::float8 from kept", &[]).await.unwrap();
    assert_eq!(row.get::<_, f64>(0), 1.0);
    let password = |url: &str| url.split(['@', ':']).nth(2).unwrap().to_owned();
    assert_eq!(password(&url), password(&second.url()));
    // Dropped instead of stopped: the next start waits for the shutdown.
    drop(second);

    let third = postgres::start(Options { fresh: true, ..options(&data) }, &quiet).await.unwrap();
    assert_ne!(password(&url), password(&third.url()));
    let client = connect(&third.url()).await;
    assert!(client.query("select * from kept", &[]).await.is_err());
    third.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_start_names_the_process_that_holds_the_data() {
    let directory = directory();
    let data = directory.path().join("data");
    let name = "a_second_start_names_the_process_that_holds_the_data";
    let Some(first) = started(name, options(&data)).await else { return };
    let error = postgres::start(options(&data), &quiet).await.unwrap_err();
    assert_eq!(error.code(), "already_running");
    assert!(error.to_string().ends_with(&format!("process {}", std::process::id())), "{error}");
    assert_eq!(fs::metadata(data.join("password")).unwrap().permissions().mode() & 0o777, 0o600);
    connect(&first.url()).await.query_one("select 1", &[]).await.unwrap();
    first.stop().await.unwrap();
}

#[tokio::test]
async fn only_the_password_opens_it() {
    let directory = directory();
    let Some(server) = started("only_the_password_opens_it", options(&directory.path().join("data"))).await else {
        return;
    };
    let (before, after) = server.url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let wrong = format!("{before}0@{after}");
    assert!(tokio_postgres::connect(&wrong, NoTls).await.is_err());
    assert!(!format!("{server:?}").contains(before.rsplit(':').next().unwrap()));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_crash_leaves_nothing_that_prevents_the_next_start() {
    let directory = directory();
    let data = directory.path().join("data");
    let name = "a_crash_leaves_nothing_that_prevents_the_next_start";
    let Some(first) = started(name, options(&data)).await else { return };
    first.stop().await.unwrap();
    // As after a crash in a container: the number belongs to a living process again, here to this one.
    let leftover = format!("{}\n{}\n", std::process::id(), data.join("cluster").display());
    fs::write(data.join("cluster/postmaster.pid"), leftover).unwrap();
    fs::create_dir_all(data.join("cluster.partial/base")).unwrap();
    let second = postgres::start(options(&data), &quiet).await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test]
async fn data_of_another_major_version_is_left_alone() {
    let directory = directory();
    let data = directory.path().join("data");
    let name = "data_of_another_major_version_is_left_alone";
    let Some(first) = started(name, options(&data)).await else { return };
    first.stop().await.unwrap();
    fs::write(data.join("cluster/PG_VERSION"), "16\n").unwrap();
    let error = postgres::start(options(&data), &quiet).await.unwrap_err();
    assert_eq!(error.code(), "other_major_version");
    assert!(error.to_string().contains("Postgres 16"), "{error}");
    assert!(data.join("cluster/base").exists());
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let directory = directory();
    let data = directory.path().join("data");
    let Some(first) = started("a_server_that_cannot_start_says_why", options(&data)).await else { return };
    first.stop().await.unwrap();
    fs::write(data.join("cluster/postgresql.auto.conf"), "no_such_setting = 1\n").unwrap();
    let error = postgres::start(options(&data), &quiet).await.unwrap_err();
    assert_eq!(error.code(), "postgres_not_started");
    assert!(error.to_string().contains("no_such_setting"), "{error}");
    wait_until_nothing_is_left(&data);
}

#[tokio::test]
async fn a_wheel_that_is_not_the_pinned_one_is_refused() {
    let directory = directory();
    let wheel = directory.path().join("other.whl");
    fs::write(&wheel, b"something else").unwrap();
    let mut options = Options::new(directory.path().join("data"), directory.path().join("cache"));
    options.wheel = Some(wheel);
    let error = postgres::start(options, &quiet).await.unwrap_err();
    if let Error::UnsupportedPlatform { .. } = error {
        return crate::not_run("a_wheel_that_is_not_the_pinned_one_is_refused (needs a supported platform)");
    }
    assert_eq!(error.code(), "checksum_mismatch");
    assert!(error.hint().contains("DATABASE_URL"));
}

#[tokio::test]
async fn concurrent_starts_share_one_cache() {
    let directory = directory();
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    let (one, two) = tokio::join!(
        started("concurrent_starts_share_one_cache", options(&one)),
        started("concurrent_starts_share_one_cache", options(&two)),
    );
    if let (Some(one), Some(two)) = (one, two) {
        assert_ne!(one.url(), two.url());
        one.stop().await.unwrap();
        two.stop().await.unwrap();
    }
}

#[tokio::test]
async fn it_dies_with_a_parent_that_is_killed_outright() {
    let directory = directory();
    let data = directory.path().join("data");
    let name = "it_dies_with_a_parent_that_is_killed_outright";
    let Some(installed) = started(name, options(&data)).await else { return };
    installed.stop().await.unwrap();

    // This test binary again, running only the test below.
    let mut parent = Command::new(std::env::current_exe().unwrap());
    parent.args(["--exact", "postgres::holds_a_server_until_killed"]).env(HOLD, &data).stdout(Stdio::null());
    let mut parent = parent.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !data.join("ready").exists() {
        assert!(Instant::now() < deadline, "the server of the other process did not start");
        assert_eq!(parent.try_wait().unwrap(), None, "the other process ended early");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let url = fs::read_to_string(data.join("ready")).unwrap();
    let client = connect(&url).await;
    client.query_one("select 1", &[]).await.unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until_nothing_is_left(&data);
    assert!(tokio_postgres::connect(&url, NoTls).await.is_err());

    let again = postgres::start(options(&data), &quiet).await.unwrap();
    again.stop().await.unwrap();
}

/// The parent of the test above. By itself it has nothing to do.
#[tokio::test]
async fn holds_a_server_until_killed() {
    let Some(data) = std::env::var_os(HOLD).map(PathBuf::from) else { return };
    let server = postgres::start(options(&data), &quiet).await.unwrap();
    fs::write(data.join("ready.partial"), server.url()).unwrap();
    fs::rename(data.join("ready.partial"), data.join("ready")).unwrap();
    std::future::pending::<()>().await;
}
