//! PgBouncer between the product and Postgres: transaction mode, loopback only, a child that dies with the test.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use docent_local::postgres;
use tempfile::TempDir;

use crate::world::{APP_PASSWORD, eventually};

/// Debian's package puts it where only administrators have a path to.
const PLACES: [&str; 3] = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
/// It refuses to run as root, so root's tests run it as nobody.
const NOBODY: u32 = 65534;

/// Ends the pooler as soon as the pipe closes, and thus with a test that was killed.
const SUPERVISOR: &str = r#"
exec 3<&0
"$@" 3<&- </dev/null &
pooler=$!
( while read -r line <&3; do :; done; kill -KILL "$pooler" ) &
wait "$pooler"
"#;

pub struct Bouncer {
    program: &'static str,
    folder: TempDir,
    user: Option<u32>,
    admin_url: url::Url,
    port: u16,
    child: Option<Child>,
}

impl Bouncer {
    /// In front of the database of an administrator's URL; nothing where PgBouncer is not installed.
    pub async fn start(admin_url: &str, pool_size: usize) -> Option<Bouncer> {
        let program = PLACES.into_iter().find(|place| Path::new(place).exists())?;
        // In the process's own folder: others of their like clear away what belongs to no living process.
        let base = postgres::reachable(&std::env::temp_dir().join("docent-tests")).join(std::process::id().to_string());
        std::fs::create_dir_all(&base).unwrap();
        let folder = TempDir::new_in(base).unwrap();
        let user = (folder.path().metadata().unwrap().uid() == 0).then_some(NOBODY);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let admin_url = url::Url::parse(admin_url).unwrap();
        let mut bouncer = Bouncer { program, folder, user, admin_url, port, child: None };
        bouncer.configure(pool_size);
        bouncer.spawn();
        bouncer.answers().await;
        Some(bouncer)
    }

    /// The app role's URL, through the pooler.
    pub fn url(&self) -> String {
        let mut url = self.admin_url.clone();
        url.set_username("docent_app").unwrap();
        url.set_password(Some(APP_PASSWORD)).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.to_string()
    }

    /// Killed in the middle of whatever it does, and started again at the same address.
    pub async fn restart(&mut self) {
        self.kill();
        self.spawn();
        self.answers().await;
    }

    fn configure(&self, pool_size: usize) {
        let name = self.admin_url.path().trim_start_matches('/');
        let (users, postgres) = (self.path("users"), self.admin_url.port().unwrap());
        // MD5 between the tests and the pooler: in a debug build the 4096 rounds of SCRAM cost more than a request does,
        // and cancelled requests connect anew all the time.
        let settings = format!(
            "[databases]\n{name} = host=127.0.0.1 port={postgres} dbname={name}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\n\
             auth_type = md5\nauth_file = {}\nlogfile = {}\n\
             pool_mode = transaction\ndefault_pool_size = {pool_size}\nmax_client_conn = 500\nserver_login_retry = 1\n",
            self.port,
            users.display(),
            self.path("log").display(),
        );
        for (name, text) in
            [("users", format!("\"docent_app\" \"{APP_PASSWORD}\"\n")), ("settings", settings), ("log", String::new())]
        {
            std::fs::write(self.path(name), text).unwrap();
            chown(self.path(name), self.user, self.user).unwrap();
        }
        chown(self.folder.path(), self.user, self.user).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn spawn(&mut self) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SUPERVISOR, "docent-pooler", self.program, "-q"]).arg(self.path("settings"));
        command.env_clear().current_dir(self.folder.path());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
    }

    async fn answers(&self) {
        let url = self.url();
        let last = std::sync::Mutex::new(String::new());
        let up = tokio::time::timeout(
            Duration::from_secs(19),
            eventually("PgBouncer", async || match tokio_postgres::connect(&url, tokio_postgres::NoTls).await {
                Ok(_) => true,
                Err(error) => {
                    *last.lock().unwrap() = error.to_string();
                    false
                }
            }),
        );
        if up.await.is_err() {
            let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
            panic!("PgBouncer does not answer: {}; {log}", last.into_inner().unwrap());
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Says past the test runner, which swallows what a passing test prints, that a test could not do its work.
pub fn not_installed(test: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "not run: {test}: PgBouncer is not installed (Debian's package `pgbouncer`)");
}
