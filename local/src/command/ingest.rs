//! `docent ingest PATH…`: files and folders into a running system, with a bar.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, Remote};
use crate::client::Client;
use crate::terminal;

#[derive(Args)]
pub struct Options {
    /// Files, or folders that are walked
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(options: Options) -> Result<(), Failure> {
    let client = Client::remote(&options.remote)?.ok_or_else(|| {
        Failure::new(
            "There is no running system named.",
            "Start `docent up`, then give --url and --token as it prints them.",
        )
    })?;
    let files = files(&options.paths)?;
    ingest(&client, &files).await
}

/// Ingests one after the other; failed files are named at the end and make the command fail.
pub async fn ingest(client: &Client, files: &[PathBuf]) -> Result<(), Failure> {
    let bar = terminal::bar(files.len() as u64, "");
    let mut failed = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let outcome = client.ingest(file, &|state| bar.set_message(format!("{name}: {state}"))).await;
        bar.inc(1);
        match outcome {
            Ok(ended) if ended.ready => {
                let pages = ended.pages.map(|pages| format!(", {pages} pages")).unwrap_or_default();
                bar.suspend(|| terminal::note(&format!("ready   {} ({} chunks{pages})", ended.filename, ended.chunks)));
            }
            Ok(ended) => failed.push(format!("{name}: {}", ended.error.unwrap_or_default())),
            Err(failure) => failed.push(format!("{name}: {failure}")),
        }
    }
    bar.finish_and_clear();
    match failed.len() {
        0 => Ok(()),
        count => Err(Failure::new(
            format!("{count} of {} failed:\n  {}", files.len(), failed.join("\n  ")),
            "Correct them and ingest them again.",
        )),
    }
}

/// The files among `paths` and below its folders, hidden ones left out, in order.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = paths.iter().rev().cloned().collect();
    while let Some(path) = open.pop() {
        let cannot = |error: std::io::Error| {
            Failure::new(format!("{}: {error}.", path.display()), "Check the path and its permissions.")
        };
        if !std::fs::metadata(&path).map_err(cannot)?.is_dir() {
            found.push(path);
            continue;
        }
        let entries = std::fs::read_dir(&path).map_err(cannot)?;
        let mut entries: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| !hidden(path)).collect();
        entries.sort();
        open.extend(entries.into_iter().rev());
    }
    match found.is_empty() {
        true => Err(Failure::new("There is no file to ingest.", "Name a file, or a folder that holds some.")),
        false => Ok(found),
    }
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}
