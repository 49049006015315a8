//! The bucket of one machine: a real S3 endpoint over a folder, so that a laptop or a container runs the same uploads
//! and the same events as the cloud does. Protocol and signatures come from `s3s`; what is kept and said is ours.

mod checksums;
mod clock;
mod conditions;
mod cors;
mod events;
mod gate;
mod listing;
mod multipart;
mod object;
mod objects;
mod s3;
mod sequence;
mod stage;
mod store;
mod uploads;

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use s3s::auth::SimpleAuth;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The largest object that is accepted when [`Options::max_object_bytes`] is left alone: what one document may weigh.
pub const DEFAULT_MAX_OBJECT_BYTES: u64 = 50 * 1024 * 1024;
/// Connections beyond this wait in the kernel's queue: each one costs a task and a buffer.
pub const MAX_CONNECTIONS: usize = 1024;
/// A client that has not finished its request head by then is cut off.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait for a predecessor on the same folder to let go of it.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How long to rest when the machine is out of file descriptors before accepting again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a bucket needs to know. Start from [`Options::new`] and change what differs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that holds everything; one process at a time.
    pub dir: PathBuf,
    pub access_key: String,
    pub secret_key: SecretString,
    /// The only bucket that exists here, named by S3's rules.
    pub bucket: String,
    /// Web origins that may talk to the bucket (`https://app.example.com`, or `*` for all). Empty: no CORS headers.
    pub allowed_origins: Vec<String>,
    /// Anything larger is refused with `EntityTooLarge`.
    pub max_object_bytes: u64,
}

impl Options {
    pub fn new(
        dir: impl Into<PathBuf>,
        access_key: impl Into<String>,
        secret_key: impl Into<SecretString>,
        bucket: impl Into<String>,
    ) -> Self {
        Self {
            dir: dir.into(),
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            bucket: bucket.into(),
            allowed_origins: Vec::new(),
            max_object_bytes: DEFAULT_MAX_OBJECT_BYTES,
        }
    }
}

/// Why a bucket did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the bucket folder {} cannot be used: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("the bucket folder {} is in use by another process", path.display())]
    InUse { path: PathBuf },
    #[error("{0:?} is not a bucket name")]
    Name(String),
    #[error("{0:?} is not a web origin")]
    Origin(String),
}

impl Error {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "bucket_folder_unusable",
            Self::InUse { .. } => "bucket_in_use",
            Self::Name(_) => "bucket_name_invalid",
            Self::Origin(_) => "bucket_origin_invalid",
        }
    }

    pub fn hint(&self) -> &'static str {
        match self {
            Self::Folder { .. } => {
                "Check that the folder exists on a disk with free space and that this user may write to it."
            }
            Self::InUse { .. } => "Stop the other process, or give this one its own folder.",
            Self::Name(_) => "Use 3 to 63 lower-case letters, digits, dots and hyphens.",
            Self::Origin(_) => {
                "Write scheme, host and port without a path, for example https://app.example.com, or * for all."
            }
        }
    }
}

/// Serves the bucket until the future is dropped, which cuts all connections; what was acknowledged is on disk.
///
/// `events` receives one S3 notification document per change. It is never waited for: when it is full the event is
/// dropped with a warning, because events are hints and the sweep finds what they missed.
pub async fn serve(options: Options, listener: TcpListener, events: mpsc::Sender<String>) -> Result<Infallible, Error> {
    let cors = cors::layer(&options.allowed_origins)?;
    let service = TowerToHyperService::new(tower::Layer::layer(&cors, service(&options, events).await?));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);

    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = http.serve_connection(TokioIo::new(stream), service.clone());
                connections.spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "bucket connection ended early");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "bucket cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn service(options: &Options, events: mpsc::Sender<String>) -> Result<S3Service, Error> {
    if !s3s::path::check_bucket_name(&options.bucket) {
        return Err(Error::Name(options.bucket.clone()));
    }
    let store = store::Store::open(&options.dir, &options.bucket, events).await?;
    let bucket = s3::Bucket { store: Arc::new(store), max_object_bytes: options.max_object_bytes };

    let mut config = S3Config::default();
    config.post_object_max_file_size = options.max_object_bytes;
    let mut builder = S3ServiceBuilder::new(bucket);
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.set_auth(SimpleAuth::from_single(options.access_key.as_str(), options.secret_key.expose_secret()));
    builder.set_access(gate::Gate { bucket: options.bucket.clone() });
    Ok(builder.build())
}
