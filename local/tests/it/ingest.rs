//! `docent ingest` as people run it: again and again over the same folder.

use std::path::Path;
use std::process::{Output, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStdout;

use crate::keys::docent;
use crate::postgres::{directory, options, started};

/// One part and a bit, of a file that nobody can read.
const LARGE: usize = 9 * 1024 * 1024;

/// `docent up`, as somebody else runs it.
pub struct System {
    pub url: String,
    pub token: String,
    process: tokio::process::Child,
    /// Held open: whoever prints into a closed pipe ends.
    _printed: Lines<BufReader<ChildStdout>>,
}

impl System {
    pub async fn up(folder: &Path, postgres: &str) -> System {
        let mut process = docent(&["up", "--embedder", "hash", "--port", "0", "--data"]);
        process.arg(folder.join("system")).env("DIRECT_DATABASE_URL", postgres).stdout(Stdio::piped());
        let mut process = process.stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        loop {
            let line = lines.next_line().await.unwrap().expect("the system comes up");
            if let Some((url, token)) = line.split_once("/#token=") {
                let url = url.split_whitespace().last().unwrap().to_owned();
                break System { url, token: token.to_owned(), process, _printed: lines };
            }
        }
    }

    pub async fn down(mut self) {
        let pid = rustix::process::Pid::from_raw(self.process.id().unwrap().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.process.wait().await.unwrap().success());
    }

    async fn ingest(&self, options: &[&str], path: &Path) -> (Output, String) {
        let mut command = docent(&["ingest", "--url", &self.url, "--token", &self.token]);
        let output = command.args(options).arg(path).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output, said)
    }

    async fn documents(&self) -> serde_json::Value {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let asked = http.get(format!("{}/api/documents", self.url)).bearer_auth(&self.token);
        serde_json::from_str(&asked.send().await.unwrap().text().await.unwrap()).unwrap()
    }
}

#[tokio::test]
async fn a_folder_is_ingested_again_and_only_what_changed_is_sent() {
    let name = "a_folder_is_ingested_again_and_only_what_changed_is_sent";
    let directory = directory();
    let Some(postgres) = started(name, options(&directory.path().join("postgres"))).await else { return };
    let system = System::up(directory.path(), &postgres.url()).await;
    let folder = directory.path().join("docs");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    let write = |name: &str, text: &[u8]| std::fs::write(folder.join(name), text).unwrap();
    write("a.txt", b"The first keeper of Neuwerk wrote the log by hand.");
    write("b.md", b"# Tides\n\nThe second keeper measured the tide twice a day.");
    write("sub/a.txt", b"The third keeper counted the ships that passed.");

    let (output, said) = system.ingest(&[], &folder).await;
    assert!(output.status.success() && said.contains("3 ready; "), "{said}");
    let (output, said) = system.ingest(&[], &folder).await;
    assert!(output.status.success() && said.contains("0 ready, 3 unchanged; 0.0 MB sent"), "{said}");

    write("b.md", b"# Tides\n\nThe second keeper measured the tide four times a day.");
    write("broken.pdf", b"%PDF-1.7 that is none");
    for _ in 0..2 {
        let (output, said) = system.ingest(&[], &folder).await;
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("1 failed; ") && said.contains("broken.pdf: corrupt: "), "{said}");
        assert!(said.contains("run the same command again"), "{said}");
    }
    let (_, said) = system.ingest(&["--on-duplicate", "skip"], &folder.join("b.md")).await;
    assert!(said.contains("1 unchanged"), "{said}");
    let documents = system.documents().await;
    assert_eq!(documents["documents"].as_array().unwrap().len(), 4, "{documents}");
    let names: Vec<&str> =
        documents["documents"].as_array().unwrap().iter().filter_map(|one| one["filename"].as_str()).collect();
    assert!(names.contains(&"a.txt") && names.contains(&"sub/a.txt"), "{names:?}");
    let (output, said) = system.ingest(&[folder.join("a.txt").to_str().unwrap()], &folder.join("sub/a.txt")).await;
    assert!(output.status.code() == Some(1) && said.contains("would both be the document a.txt"), "{said}");
    let tides = documents["documents"].as_array().unwrap().iter().find(|one| one["filename"] == "b.md").unwrap();
    assert_eq!(tides["currentVersion"], 2, "{tides}");

    // In parts, on request; that nobody can read it is said as for any other file.
    write("large.pdf", &[b"%PDF-1.7\n".to_vec(), vec![b'x'; LARGE]].concat());
    let (output, said) = system.ingest(&["--parts"], &folder.join("large.pdf")).await;
    assert!(output.status.code() == Some(1) && said.contains("large.pdf: corrupt: "), "{said}");
    assert!(system.documents().await.to_string().contains(&format!("\"size\":{}", LARGE + 9)));

    let (output, said) = system.ingest(&["--collection", "Nowhere"], &folder).await;
    assert!(output.status.code() == Some(1) && said.contains("Library"), "the names that there are: {said}");
    let (output, said) = system.ingest(&["--collection", "Library"], &folder.join("a.txt")).await;
    assert!(output.status.success(), "{said}");
    system.down().await;
    postgres.stop().await.unwrap();
}
