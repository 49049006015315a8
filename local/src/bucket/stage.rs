//! A request body on its way to disk: counted, hashed, checked against what the client claimed, and synced. Nothing
//! refers to a staged file until the store commits it; dropped before that, it leaves the disk.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::StatusCode;
use s3s::crypto::{Checksum as _, Md5};
use s3s::{S3Error, S3ErrorCode, S3Result, StdError, s3_error};
use tokio::io::{AsyncWriteExt as _, BufWriter};
use tokio_util::io::ReaderStream;

use super::checksums::{Checksums, Claims};

/// A body that stands still for this long is given up, so that dead clients do not hold connections.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Large enough that a 50 MB upload is a few hundred writes.
const BUFFER_BYTES: usize = 256 * 1024;

pub(super) struct Staged {
    path: PathBuf,
    pub size: u64,
    pub md5: [u8; 16],
    pub checksums: Checksums,
}

impl Staged {
    pub fn rename(self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove, and a leftover is swept at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// What must hold for the size of a body.
pub(super) struct Size {
    pub declared: Option<u64>,
    pub limit: u64,
}

/// Writes the body to a fresh file in `folder`.
pub(super) async fn stage(
    folder: &Path,
    body: impl Stream<Item = Result<Bytes, StdError>>,
    size: Size,
    claims: &Claims,
) -> S3Result<Staged> {
    if size.declared.is_some_and(|declared| declared > size.limit) {
        return Err(too_large(size.limit));
    }
    let path = folder.join(random_name().map_err(disk)?);
    let file = tokio::fs::File::create_new(&path).await.map_err(disk)?;
    let mut staged = Staged { path, size: 0, md5: [0; 16], checksums: Checksums::default() };
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, file);
    let (mut md5, mut hasher) = (Md5::new(), claims.hasher());

    let mut body = std::pin::pin!(body);
    while let Some(chunk) = tokio::time::timeout(IDLE_TIMEOUT, body.next()).await.map_err(|_| idle())? {
        let chunk = chunk.map_err(|error| broken_body(&error))?;
        staged.size += chunk.len() as u64;
        if staged.size > size.limit {
            return Err(too_large(size.limit));
        }
        md5.update(&chunk);
        hasher.update(&chunk);
        writer.write_all(&chunk).await.map_err(disk)?;
    }
    if size.declared.is_some_and(|declared| declared != staged.size) {
        return Err(s3_error!(IncompleteBody, "The body has {} bytes, not what Content-Length says.", staged.size));
    }
    staged.md5 = md5.finalize();
    staged.checksums = hasher.finalize().into();
    staged.checksums.verify(&claims.all())?;
    verify_md5(claims.md5.as_deref(), &staged.md5)?;

    writer.flush().await.map_err(disk)?;
    writer.into_inner().sync_all().await.map_err(disk)?;
    Ok(staged)
}

fn verify_md5(claimed: Option<&str>, computed: &[u8; 16]) -> S3Result<()> {
    let Some(claimed) = claimed else { return Ok(()) };
    match STANDARD.decode(claimed) {
        Ok(claimed) if claimed == computed => Ok(()),
        Ok(claimed) if claimed.len() == computed.len() => {
            Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received."))
        }
        _ => Err(s3_error!(InvalidDigest, "Content-MD5 is not the base64 of an MD5.")),
    }
}

/// `s3s` checks the signed hash and the chunk signatures while the body is read, and tells which one failed only in
/// the text of an error of a private type.
fn broken_body(error: &StdError) -> S3Error {
    let text = error.to_string();
    if error.is::<io::Error>() {
        // A copied blob or a part, not something that a client sent.
        disk(io::Error::other(text))
    } else if text.contains("Sha256Mismatch") {
        let message = "The provided x-amz-content-sha256 header does not match what was computed.";
        let mut error = S3Error::with_message(S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()), message);
        error.set_status_code(StatusCode::BAD_REQUEST);
        error
    } else if text.contains("SignatureMismatch") {
        s3_error!(SignatureDoesNotMatch, "The signature of a chunk does not match its bytes.")
    } else {
        s3_error!(IncompleteBody, "The body ended early or is not framed as announced.")
    }
}

fn too_large(limit: u64) -> S3Error {
    s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size of {limit} bytes.")
}

fn idle() -> S3Error {
    s3_error!(RequestTimeout, "No bytes arrived for {} seconds.", IDLE_TIMEOUT.as_secs())
}

/// The client learns that the disk failed; the log learns how.
pub(super) fn disk(error: io::Error) -> S3Error {
    tracing::error!(%error, "bucket disk error");
    s3_error!(InternalError, "The server could not use its disk. Try again later.")
}

pub(super) fn random_name() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(hex(&bytes))
}

/// Disk work that must not hold up other requests, and that a client who hangs up cannot stop halfway.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> S3Result<T> + Send + 'static) -> S3Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| disk(io::Error::other(error)))?
}

/// The bytes of files, one after the other.
pub(super) fn files(paths: Vec<PathBuf>) -> impl Stream<Item = Result<Bytes, StdError>> + Send {
    let opened = stream::iter(paths).then(tokio::fs::File::open);
    opened.map_ok(|file| ReaderStream::with_capacity(file, BUFFER_BYTES)).try_flatten().map_err(StdError::from)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
