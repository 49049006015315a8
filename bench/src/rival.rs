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

/// The interpreter of an environment with pypdf.
pub fn python() -> Outcome<PathBuf> {
    installed("bench-python", &PACKAGES)
}

/// The interpreter of an environment with these packages, below the target folder.
pub fn installed(name: &str, packages: &[&str]) -> Outcome<PathBuf> {
    let folder = build::folder()?.join(name);
    let python = folder.join("bin/python");
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|text| text == packages.join(" ")) {
        return Ok(python);
    }
    table::note(&format!("installing {}", packages.join(", ")));
    let done = |command: &mut Command| -> Outcome<()> {
        let needs = "it needs python3 with venv and pip";
        let status = command.stdout(Stdio::null()).status();
        match status.map_err(|error| format!("not run: the rival ({error}); {needs}"))?.success() {
            true => Ok(()),
            false => Err(format!("not run: the rival could not be installed; {needs}").into()),
        }
    };
    done(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    done(
        Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages),
    )?;
    std::fs::write(stamp, packages.join(" "))?;
    Ok(python)
}

/// Runs a script with a request on its standard input; gives the lines of JSON that it answers with.
pub fn ask<T: serde::de::DeserializeOwned>(
    python: &Path,
    script: &str,
    request: &serde_json::Value,
) -> Outcome<Vec<T>> {
    let mut command = Command::new(python);
    let mut child = command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or("the pipe was asked for")?.write_all(request.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    let lines = std::str::from_utf8(&output.stdout)?.lines();
    lines.map(|line| serde_json::from_str(line).map_err(Into::into)).collect()
}

pub fn read(reader: Reader, python: &Path, files: &[PathBuf], texts: bool) -> Outcome<Vec<Read>> {
    let request = json!({ "reader": reader, "files": files, "texts": texts });
    let read: Vec<Read> = ask(python, SCRIPT, &request)?;
    match read.len() == files.len() {
        true => Ok(read),
        false => Err(format!("{reader:?} ended after {} of {} files", read.len(), files.len()).into()),
    }
}
