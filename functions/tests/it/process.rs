//! A function's binary as a process: found or built, started with its own environment only, its output kept.
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::LazyLock,
    time::SystemTime,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::{Mutex, watch},
    task::JoinSet,
};

/// Ends with its owner.
pub struct Process {
    child: Child,
    log: watch::Receiver<String>,
    readers: JoinSet<()>,
}

impl Process {
    /// Nothing of the tester's own environment reaches the function.
    pub fn start(binary: &Path, environment: &HashMap<String, String>) -> Self {
        Self::start_with(binary, &[], environment)
    }

    pub fn start_with(binary: &Path, arguments: &[&str], environment: &HashMap<String, String>) -> Self {
        let mut child = Command::new(binary)
            .args(arguments)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let (writer, log) = watch::channel(String::new());
        let mut readers = JoinSet::new();
        readers.spawn(keep(child.stdout.take().expect("the pipe was asked for"), writer.clone()));
        readers.spawn(keep(child.stderr.take().expect("the pipe was asked for"), writer));
        Self { child, log, readers }
    }

    /// True when a line starts like this, false when the process ends without one.
    pub async fn prints(&mut self, start: &str) -> bool {
        self.log.wait_for(|log| log.lines().any(|line| line.starts_with(start))).await.is_ok()
    }

    /// Waits for the end of the process and of all that it has written.
    pub async fn ended(&mut self) -> ExitStatus {
        while self.readers.join_next().await.is_some() {}
        self.child.wait().await.expect("a child can be waited for")
    }

    pub fn id(&self) -> u32 {
        self.child.id().expect("it was not waited for")
    }

    pub fn log(&self) -> String {
        self.log.borrow().clone()
    }
}

async fn keep<R: AsyncRead + Unpin>(output: R, log: watch::Sender<String>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        log.send_modify(|log| log.extend([&line, "\n"]));
    }
}

/// A function of Vercel.
pub async fn vercel_binary(name: &str) -> PathBuf {
    binary(name, "docent-api", "api").await
}

/// The command line.
pub async fn docent_binary() -> PathBuf {
    binary("docent", "docent-local", "local/src").await
}

/// The binary of another package. `cargo test --workspace` has built it; a test run of this package alone has not,
/// or has left an old one.
async fn binary(name: &str, package: &str, folder: &str) -> PathBuf {
    static TURN: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);
    let _turn = TURN.lock().await;

    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("the folder of the profile");
    let binary = profile.join(name);
    if changed(&binary) < newest_source(folder) {
        println!("building {package}: {} is missing or older than its sources", binary.display());
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--package", package, "--bins", "--target-dir"]).arg(profile.with_file_name(""));
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().await.expect("cargo runs").success(), "{package} does not build");
    }
    binary
}

fn newest_source(folder: &str) -> Option<SystemTime> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let folders = [folder, "migrations", "shared/app/src", "shared/llm/src", "shared/text/src"];
    folders.iter().flat_map(|folder| files(&project.join(folder))).filter_map(|file| changed(&file)).max()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] }).collect()
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}
