//! What several tests need: short calls, small archives, and the data beside the project.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use docent_text::{Budget, Error, Extract, extract};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

pub fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Extract, Error> {
    extract(bytes.as_ref(), name, None, &Budget::default())
}

pub fn text_of(name: &str, bytes: impl AsRef<[u8]>) -> String {
    read(name, bytes).unwrap().text
}

pub fn code_of(name: &str, bytes: impl AsRef<[u8]>) -> &'static str {
    read(name, bytes).map_or_else(|error| error.code(), |_| "ok")
}

pub fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    archive_by(CompressionMethod::Deflated, entries)
}

/// An archive that no limit of expansion hits before its content does.
pub fn stored_archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    archive_by(CompressionMethod::Stored, entries)
}

fn archive_by(method: CompressionMethod, entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A Word document with the given body.
pub fn docx(body: &str) -> Vec<u8> {
    docx_with(body, &[])
}

pub fn docx_with(body: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let document = format!(r#"<?xml version="1.0"?><w:document xmlns:w="w"><w:body>{body}</w:body></w:document>"#);
    let mut entries = vec![("word/document.xml", document.as_bytes())];
    entries.extend_from_slice(more);
    archive(&entries)
}

/// A one-page PDF that says `text`; it has no cross-reference table worth the name, as many real ones.
pub fn pdf(text: &str) -> Vec<u8> {
    let stream = format!("BT /F1 12 Tf 72 700 Td ({text}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut file = String::from("%PDF-1.4\n");
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let table = file.len();
    file.push_str("xref\n0 6\n0000000000 65535 f \n");
    offsets.iter().for_each(|offset| file.push_str(&format!("{offset:010} 00000 n \n")));
    file.push_str(&format!("trailer << /Size 6 /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n"));
    file.into_bytes()
}

/// A folder of the data beside the project or in `DOCENT_DATA`, or a line that says what was not run for lack of it.
pub fn data(folder: &str, test: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("DOCENT_DATA").map_or_else(beside, PathBuf::from).join(folder);
    if path.is_dir() {
        return Some(path);
    }
    // Past the test runner, which swallows what a passing test prints.
    let line = format!("not run: {test} (needs the data folder `{folder}` beside the project)\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    None
}

/// All files under a folder with the given ending, in a stable order.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
