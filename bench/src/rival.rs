//! Rivals that read PDFs: installed from their packages once, and asked in a process of their own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Outcome, build, table};

/// Pinned, so that the same rival runs everywhere; `cryptography` is what it opens AES files with.
const PACKAGES: [&str; 3] = ["pypdf==7.1.0", "cryptography", "pypdfium2==5.15.2"];
const SCRIPT: &str = include_str!("rival.py");

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reader {
    /// The rival of the table.
    Pypdf,
    /// Chromium's: reads symbols of mathematics that pypdf leaves out.
    Pdfium,
}

#[derive(Deserialize)]
pub struct Read {
    pub file: PathBuf,
    pub pages: usize,
    pub seconds: f64,
    pub characters: usize,
    pub failure: Option<String>,
    /// The text of each page, when it was asked for.
    #[serde(default)]
    pub texts: Vec<String>,
}

/// The interpreter of an environment with pypdf, below the target folder.
pub fn python() -> Outcome<PathBuf> {
    let folder = build::folder()?.join("bench-python");
    let python = folder.join("bin/python");
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|text| text == PACKAGES.join(" ")) {
        return Ok(python);
    }
    table::note(&format!("installing {}", PACKAGES.join(", ")));
    let done = |command: &mut Command| -> Outcome<()> {
        let needs = "it needs python3 with venv and pip";
        match command
            .stdout(Stdio::null())
            .status()
            .map_err(|error| format!("not run: pypdf ({error}); {needs}"))?
            .success()
        {
            true => Ok(()),
            false => Err(format!("not run: pypdf could not be installed; {needs}").into()),
        }
    };
    done(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    done(
        Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES),
    )?;
    std::fs::write(stamp, PACKAGES.join(" "))?;
    Ok(python)
}

pub fn read(reader: Reader, python: &Path, files: &[PathBuf], texts: bool) -> Outcome<Vec<Read>> {
    let mut command = Command::new(python);
    let mut child =
        command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let request = json!({ "reader": reader, "files": files, "texts": texts }).to_string();
    child.stdin.take().ok_or("the pipe was asked for")?.write_all(request.as_bytes())?;
    let output = child.wait_with_output()?;
    let lines = std::str::from_utf8(&output.stdout)?.lines();
    let read: Vec<Read> = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
    match read.len() == files.len() {
        true => Ok(read),
        false => Err(format!("{reader:?} ended after {} of {} files", read.len(), files.len()).into()),
    }
}
