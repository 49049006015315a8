//! Every file of the data beside the project, each PDF in a process of its own, the others by their folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::child::{Job, run_all};
use crate::support::{data, files};

/// Folders of small files, and every code that files in them may end in.
const FOLDERS: [(&str, &str); 9] = [
    ("blns", "ok"),
    ("chroma_chunking", "ok"),
    ("commonmark", "ok"),
    ("cranfield", "ok"),
    ("csv_spectrum", "ok"),
    ("docx_python_docx", "empty_file ok"),
    ("jsontestsuite", "corrupt empty_file limit_exceeded ok"),
    ("squad_dev", "ok"),
    ("xquad", "ok"),
];

#[test]
fn every_file_is_read_in_time_and_in_bounded_memory() {
    let mut jobs = Vec::new();
    for (folder, codes) in FOLDERS {
        let Some(path) = data(folder, "every_file_is_read_in_time_and_in_bounded_memory") else { return };
        // One process for each kind, so that a row says what it is about.
        let mut kinds: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for path in all(&path) {
            let kind = path.extension().map_or(String::new(), |kind| kind.to_string_lossy().into_owned());
            kinds.entry(kind).or_default().push(path);
        }
        for (kind, paths) in kinds {
            let name = format!("{folder}: {} files .{kind}", paths.len());
            let codes = if kind == "json" || kind == "docx" { codes } else { "ok" };
            let seconds = 2.0 * paths.len() as f64;
            jobs.push(Job::paths(&name, codes, paths).within(seconds, 256));
        }
    }
    let Some(folder) = data("pypdf_samples", "every_file_is_read_in_time_and_in_bounded_memory") else { return };
    for path in files(&folder, "pdf") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let codes = match name.as_str() {
            "libreoffice-writer-password.pdf" => "encrypted",
            "unreadablemetadata.pdf" => "corrupt",
            "cmyk-image.pdf" | "grayscale-image.pdf" => "no_text_layer",
            _ if name.starts_with("imagemagick") => "no_text_layer",
            _ => "ok",
        };
        jobs.push(Job::paths(&name, codes, vec![path]));
    }
    assert!(jobs.len() > 40, "only {} rows", jobs.len());
    run_all("files of the data folder", &jobs);
}

/// Every file that is not itself hidden.
fn all(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if path.is_dir() {
            found.extend(all(&path));
        } else if !hidden {
            found.push(path);
        }
    }
    found.sort();
    found
}
