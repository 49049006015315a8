//! Multipart uploads on disk: `uploads/<id>/upload.json`, and per part a sidecar that names its blob.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use s3s::{S3Error, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::checksums::{Algorithm, Checksums};
use super::clock;
use super::object::Headers;
use super::stage::{Staged, disk, hex, random_name};
use super::store::write_atomically;

/// An upload that nobody completed by then is forgotten at the next start.
pub(super) const UPLOAD_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);
const UPLOAD_FILE: &str = "upload.json";

#[derive(Serialize, Deserialize)]
pub(super) struct Upload {
    pub key: String,
    pub created: Timestamp,
    pub algorithm: Option<Algorithm>,
    pub composite: bool,
    pub headers: Headers,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Part {
    pub blob: String,
    pub size: u64,
    pub md5: [u8; 16],
    pub modified: Timestamp,
    pub checksums: Checksums,
}

impl Part {
    pub fn etag(&self) -> String {
        hex(&self.md5)
    }
}

/// The folders that uploads need.
#[derive(Clone)]
pub(super) struct Uploads {
    pub folder: PathBuf,
    pub temporary: PathBuf,
}

impl Uploads {
    pub fn create(&self, upload: &Upload) -> S3Result<String> {
        let create = || {
            let id = random_name()?;
            let folder = self.folder.join(&id);
            fs::create_dir_all(&folder)?;
            write_atomically(&self.temporary, &folder.join(UPLOAD_FILE), &serde_json::to_vec(upload)?)?;
            Ok(id)
        };
        create().map_err(disk)
    }

    /// An id becomes a path, so it must look like one of ours; and it is good for its own key only.
    pub fn find(&self, id: &str, key: &str) -> S3Result<(PathBuf, Upload)> {
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(unknown());
        }
        let folder = self.folder.join(id);
        let json = fs::read(folder.join(UPLOAD_FILE)).map_err(gone)?;
        let upload: Upload = serde_json::from_slice(&json).map_err(|error| disk(error.into()))?;
        if upload.key == key { Ok((folder, upload)) } else { Err(unknown()) }
    }

    /// Every upload under way whose key begins with `prefix`, by key and age.
    pub fn all(&self, prefix: &str) -> S3Result<Vec<(String, Upload)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(disk)? {
            let folder = entry.map_err(disk)?.path();
            let json = fs::read(folder.join(UPLOAD_FILE)).ok();
            // Completed or aborted meanwhile.
            let Some(upload) = json.and_then(|json| serde_json::from_slice::<Upload>(&json).ok()) else { continue };
            let id = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if upload.key.starts_with(prefix) {
                found.push((id, upload));
            }
        }
        found.sort_by(|(_, one), (_, other)| (&one.key, one.created).cmp(&(&other.key, other.created)));
        Ok(found)
    }

    /// A part that is sent twice replaces the first; the superseded blob goes with the upload.
    pub fn add(&self, folder: &Path, number: u32, staged: Staged) -> S3Result<Part> {
        let part = Part {
            blob: format!("{number:05}.{}", random_name().map_err(disk)?),
            size: staged.size,
            md5: staged.md5,
            modified: clock::now(),
            checksums: staged.checksums.clone(),
        };
        let json = serde_json::to_vec(&part).map_err(|error| disk(error.into()))?;
        staged.rename(&folder.join(&part.blob)).map_err(gone)?;
        write_atomically(&self.temporary, &folder.join(format!("{number:05}.json")), &json).map_err(gone)?;
        Ok(part)
    }

    pub fn remove(&self, folder: &Path) -> S3Result<()> {
        fs::remove_dir_all(folder).map_err(gone)
    }
}

pub(super) fn parts(folder: &Path) -> S3Result<BTreeMap<u32, Part>> {
    let mut parts = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(gone)? {
        let path = entry.map_err(gone)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(number) = name.strip_suffix(".json").and_then(|stem| stem.parse().ok()) {
            let part = fs::read(&path).and_then(|json| Ok(serde_json::from_slice(&json)?)).map_err(gone)?;
            parts.insert(number, part);
        }
    }
    Ok(parts)
}

/// Runs at start, before any request.
pub(super) fn forget_stale(uploads: &Path) -> io::Result<()> {
    fs::create_dir_all(uploads)?;
    for entry in fs::read_dir(uploads)? {
        let folder = entry?.path();
        let upload =
            fs::read(folder.join(UPLOAD_FILE)).ok().and_then(|json| serde_json::from_slice::<Upload>(&json).ok());
        if upload.is_none_or(|upload| clock::now().duration_since(upload.created) > UPLOAD_LIFETIME) {
            fs::remove_dir_all(&folder)?;
        }
    }
    Ok(())
}

/// The upload may be completed or aborted while somebody else still works on it.
fn gone(error: io::Error) -> S3Error {
    if error.kind() == io::ErrorKind::NotFound { unknown() } else { disk(error) }
}

fn unknown() -> S3Error {
    s3_error!(NoSuchUpload, "The upload does not exist: it may have been completed or aborted. Start a new one.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_and_broken_uploads_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads { folder: folder.path().join("uploads"), temporary: folder.path().to_owned() };
        let create = |created| {
            let headers = Headers::default();
            uploads.create(&Upload { key: "k".into(), created, algorithm: None, composite: false, headers }).unwrap()
        };
        let stale = create(clock::now() - UPLOAD_LIFETIME - SignedDuration::from_secs(1));
        let fresh = create(clock::now());
        fs::create_dir(uploads.folder.join("broken")).unwrap();

        forget_stale(&uploads.folder).unwrap();

        assert!(uploads.find(&stale, "k").is_err());
        assert!(uploads.find(&fresh, "k").is_ok());
        assert!(uploads.find(&fresh, "another").is_err());
        assert!(uploads.find("../../../etc/passwd/aaaaaaaaaaaa", "k").is_err());
        assert_eq!(fs::read_dir(&uploads.folder).unwrap().count(), 1);
    }
}
