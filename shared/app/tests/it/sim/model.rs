//! What must be true, worked out from what clients and buckets did, without a look at the product's own state. Pure.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::fault::Fault;

/// One document as its client knows it.
pub struct Doc {
    pub tenant: usize,
    pub name: String,
    pub id: Uuid,
    pub key: String,
    /// Everything that was ever in the bucket under its key, oldest first.
    pub versions: Vec<Version>,
    /// What is there now.
    pub here: Option<usize>,
    /// The bytes were once taken away in the bucket itself.
    pub vanished: bool,
    /// A deletion was acknowledged.
    pub deleted: bool,
    /// Versions that were made, put or not.
    pub made: usize,
    /// Room was made for bytes that never came.
    pub empty_room: bool,
}

pub struct Version {
    pub etag: String,
    pub chunks: Vec<String>,
    pub digest: String,
    /// A word that stands in this version and nowhere else.
    pub mark: String,
}

/// A document's row as it is now.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: Uuid,
    pub status: String,
    pub code: Option<String>,
    pub current_etag: Option<String>,
    pub deleted: bool,
    pub chunks: i64,
    pub vectors: i64,
    pub counted: i64,
    pub digest: Option<String>,
}

/// Names a list of chunks as the database does when it is asked to.
pub fn digest<'a>(chunks: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for (ordinal, text) in chunks.enumerate() {
        hash.update(format!("{ordinal}:{text}\u{1}"));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A word of one version's section: letters and digits, so that search takes it as one.
pub fn mark(tenant: usize, doc: usize, version: usize) -> String {
    format!("zq{tenant}d{doc}v{version}")
}

/// A document in sections; every one of them is a chunk of its own.
pub fn text(mark: &str, sections: usize) -> Bytes {
    let section = |n: usize| {
        format!(
            "# Section {n} of {mark}\n\nThe keeper of lighthouse {mark}s{n} writes into the log of day {n} which ships went by, \
             how the wind stood at noon, and who came up the stairs to read what had been written there before. {mark}\n\n"
        )
    };
    Bytes::from((0..sections).map(section).collect::<String>())
}

impl Version {
    pub fn new(etag: String, mark: String, name: &str, bytes: &[u8]) -> Version {
        let budget = docent_text::Budget::default();
        let extract = docent_text::extract(bytes, name, None, &budget).unwrap();
        let chunks = docent_text::chunk(&extract, &docent_text::ChunkOptions::default());
        let chunks: Vec<String> = chunks.iter().map(|chunk| extract.text[chunk.start..chunk.end].to_owned()).collect();
        Version { etag, digest: digest(chunks.iter().map(String::as_str)), chunks, mark }
    }
}

impl Doc {
    pub fn new(tenant: usize, name: String, id: Uuid, key: String) -> Doc {
        let (versions, here, vanished, deleted, made, empty_room) = (Vec::new(), None, false, false, 0, false);
        Doc { tenant, name, id, key, versions, here, vanished, deleted, made, empty_room }
    }

    fn whole(&self, row: &Row, version: &Version) -> bool {
        row.current_etag.as_deref() == Some(&version.etag) && row.digest.as_deref() == Some(&version.digest)
    }

    /// What must hold at every moment: whatever readers see is one whole version, and the dead stay dead.
    pub fn never(&self, row: Option<&Row>) -> Result<(), String> {
        let Some(row) = row else {
            return if self.deleted || self.vanished { Ok(()) } else { Err(format!("{}: its row is gone", self.name)) };
        };
        if self.deleted && !row.deleted {
            return Err(format!("{}: back from the dead: {row:?}", self.name));
        }
        if row.deleted || row.current_etag.is_none() {
            return Ok(());
        }
        let Some(version) = self.versions.iter().find(|version| self.whole(row, version)) else {
            return Err(format!("{}: half visible or mixed: {row:?}", self.name));
        };
        let chunks = version.chunks.len() as i64;
        if (row.chunks, row.vectors, row.counted) != (chunks, chunks, chunks) {
            return Err(format!("{}: {chunks} chunks were planned: {row:?}", self.name));
        }
        Ok(())
    }

    /// What must hold in the end.
    pub fn settled(&self, row: Option<&Row>, fault: Fault, blows: usize) -> Result<(), String> {
        self.never(row)?;
        let Some(row) = row.filter(|row| !row.deleted) else {
            let gone = self.deleted || self.vanished;
            return if gone { Ok(()) } else { Err(format!("{}: lost: {row:?}", self.name)) };
        };
        let Some(version) = self.here.map(|here| &self.versions[here]) else {
            // Nothing was ever seen of it, so nothing can be missing: it waits for its bytes.
            let waits = row.status == "uploading" || row.status == "failed";
            return if waits && row.current_etag.is_none() {
                Ok(())
            } else {
                Err(format!("{}: its bytes are gone and it is not: {row:?}", self.name))
            };
        };
        match row.status.as_str() {
            "ready" if self.whole(row, version) => Ok(()),
            "failed" if forgiven(row.code.as_deref().unwrap_or_default(), fault, blows) => Ok(()),
            _ => Err(format!("{}: neither ready with {} nor rightly failed: {row:?}", self.name, version.mark)),
        }
    }
}

/// Whether a document may have ended so: the fault explains it, or it was hit as often as quarantine takes.
fn forgiven(code: &str, fault: Fault, blows: usize) -> bool {
    fault.lasting_codes().contains(&code) || (blows >= 3 && !code.is_empty())
}
