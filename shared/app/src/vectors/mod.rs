//! Where vectors are asked for what lies near: in Postgres, inside of the search statement, or in a Qdrant. What readers
//! may see is Postgres's to say either way, and so is every vector: a Qdrant holds copies, which `docent reindex` makes.

mod point;
mod qdrant;

use uuid::Uuid;

pub use point::{Place, Point, Set};
pub use qdrant::{DEADLINE, MOST_DOCUMENTS, Qdrant, WRITE_DEADLINE};

use crate::config::{self, Environment};
use crate::db::TenantId;
use crate::error::{Error, Kind, Result};

/// Cheap to clone.
#[derive(Clone, Debug)]
pub enum Vectors {
    /// The search statement looks itself; nothing is copied anywhere.
    Postgres,
    Qdrant(Qdrant),
}

/// A point that lies near.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    pub place: Place,
    pub cosine: f64,
}

/// What is asked of a store.
pub struct Ask<'a> {
    pub tenant: Uuid,
    pub set: &'a Set,
    pub vector: &'a [f32],
    /// Only points of these; at most [`MOST_DOCUMENTS`].
    pub documents: Option<&'a [Uuid]>,
    pub limit: usize,
}

impl Vectors {
    pub fn read(environment: &Environment) -> Result<Vectors, config::Error> {
        Ok(match config::Qdrant::read(environment)? {
            Some(config) => Vectors::Qdrant(Qdrant::new(config)),
            None => Vectors::Postgres,
        })
    }

    pub fn qdrant(&self) -> Option<&Qdrant> {
        match self {
            Vectors::Postgres => None,
            Vectors::Qdrant(qdrant) => Some(qdrant),
        }
    }

    /// Copies vectors, each of which may be there already. Done when they are found by whoever asks next.
    pub async fn keep(&self, tenant: TenantId, set: &Set, points: &[Point<'_>]) -> Result<()> {
        let Some(qdrant) = self.qdrant() else { return Ok(()) };
        qdrant.keep(tenant.uuid(), set, points).await.map_err(unavailable)
    }

    /// Whether vectors would be taken now: asked before anybody pays for some.
    pub async fn answer(&self) -> Result<()> {
        let Some(qdrant) = self.qdrant() else { return Ok(()) };
        qdrant.collections().await.map(|_| ()).map_err(unavailable)
    }

    pub async fn forget(&self, tenant: TenantId, gone: Gone<'_>) -> Result<()> {
        let Some(qdrant) = self.qdrant() else { return Ok(()) };
        qdrant.forget(tenant.uuid(), gone).await.map_err(unavailable)
    }
}

/// What nobody reads any more.
#[derive(Clone, Copy, Debug)]
pub enum Gone<'a> {
    Documents(&'a [Uuid]),
    /// Each with some of its revisions.
    Revisions(&'a [(Uuid, Vec<i32>)]),
}

/// Why a store gave no answer. Its own words are not repeated: they could quote the request.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Unreachable(#[from] docent_llm::Error),
    #[error("it refused with the status {0}")]
    Refused(u16),
    #[error("its answer is not in its documented form")]
    Unreadable,
    #[error("it did not finish what it was to wait for")]
    Unfinished,
}

impl Failure {
    /// Stable: what `explain` says.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::Unreachable(error) if error.kind() == docent_llm::ErrorKind::Timeout => "vectors_timeout",
            Failure::Unreachable(_) => "vectors_unavailable",
            Failure::Refused(_) | Failure::Unreadable | Failure::Unfinished => "vectors_protocol",
        }
    }
}

pub(crate) fn unavailable(cause: Failure) -> Error {
    Error::new(Kind::StorageUnavailable, "The store of vectors does not do what it was asked.").because(cause)
}
