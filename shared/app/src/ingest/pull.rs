//! Bytes that nobody uploads: read from the document's address through the outbound guard and put under its key, from
//! where they go on as any others do.

use bytes::Bytes;
use docent_llm::{Download, Downloaded, ErrorKind, Url};

use super::decide::MOST_ATTEMPTS;
use super::store::{self, Found};
use super::{Ingest, Source};
use crate::documents::{self, Status};
use crate::error::{Error, Kind, Result};

/// Bytes of one address: they are held in memory until the bucket has them.
pub const LARGEST_PULL: u64 = 50 * 1024 * 1024;
/// Pauses after the first and the later failures that may pass by themselves, in seconds.
const PAUSES: [i32; 2] = [60, 300];

/// How asking an origin ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// There is something to look at now: new bytes, or the word that there are none.
    Again,
    /// Later, or by somebody else.
    Later,
    /// The document says why not.
    Failed,
}

impl Ingest {
    /// Whether the document waits for bytes that an address has.
    pub(super) fn pulls(found: &Found, here: bool) -> bool {
        let open = !matches!(found.state.status, Status::Failed | Status::Deleted);
        let waits = found.pending || (!here && found.state.current_etag.is_none());
        found.source.is_some() && open && waits
    }

    pub(super) async fn pull(&self, found: &Found, source: Source) -> Result<Pulled> {
        let Some(address) = found.source.as_ref() else { return Ok(Pulled::Again) };
        if found.state.leased {
            return Ok(Pulled::Later);
        }
        let largest = LARGEST_PULL.min(self.app.limits.upload_bytes);
        let outcome = match Url::parse(&address.url) {
            Ok(url) => self.ask(url, address.etag.clone().filter(|_| found.pending), largest).await,
            Err(cause) => Err(blocked().because(cause)),
        };
        match outcome {
            Ok(Some(page)) => self.keep_page(found, page).await.map(|()| Pulled::Again),
            Ok(None) => {
                let tx = self.app.db.tenant(found.tenant).await?;
                tx.finish(store::pull::unchanged(&tx, found.document, found.epoch)).await?;
                Ok(Pulled::Again)
            }
            Err(error) => self.give_up_pulling(found, source, error).await,
        }
    }

    async fn ask(&self, url: Url, etag: Option<String>, largest: u64) -> Result<Option<Page>> {
        let most = usize::try_from(largest).unwrap_or(usize::MAX);
        let answer = self.app.llm.transport.download(&Download { url, etag, largest: most }).await;
        match answer.map_err(unanswered)? {
            Downloaded::Bytes { bytes, content_type, etag } => {
                if bytes.is_empty() {
                    return Err(Error::new(Kind::Document("empty_file"), "The address gave an empty answer."));
                }
                documents::accept_type(content_type.as_deref())?;
                Ok(Some(Page { bytes: bytes.into(), content_type, etag }))
            }
            Downloaded::Unchanged => Ok(None),
            Downloaded::Refused(404 | 410) => {
                Err(Error::new(Kind::Document("source_not_found"), "There is nothing at the document's address.")
                    .hint("Check the address, or delete the document."))
            }
            Downloaded::Refused(status) if status == 429 || status >= 500 => Err(unreachable()),
            Downloaded::Refused(_) => {
                Err(Error::new(Kind::Document("source_refused"), "The document's address refuses to be read.")
                    .hint("Make the page public, or upload the file instead."))
            }
            Downloaded::TooLarge => {
                Err(Error::new(Kind::PayloadTooLarge, format!("The address gave more than {largest} bytes."))
                    .hint("Download the file and upload it instead."))
            }
        }
    }

    /// Twice is as good as once: whoever was quicker put the same room's bytes there.
    async fn keep_page(&self, found: &Found, page: Page) -> Result<()> {
        let waiting = {
            let tx = self.app.db.tenant(found.tenant).await?;
            tx.finish(store::pull::room(&tx, found.document)).await?
        };
        let Some(key) = waiting else { return Ok(()) };
        let kind = page.content_type.as_deref().unwrap_or("application/octet-stream");
        let size = i64::try_from(page.bytes.len()).map_err(Error::internal)?;
        self.objects.put(&key, kind, page.bytes).await?;
        let tx = self.app.db.tenant(found.tenant).await?;
        let note = store::pull::Note { content_type: page.content_type.as_deref(), etag: page.etag.as_deref(), size };
        tx.finish(store::pull::note(&tx, found.document, &key, note)).await
    }

    /// What may pass by itself is tried again a few times; everything else is said in the row.
    async fn give_up_pulling(&self, found: &Found, source: Source, error: Error) -> Result<Pulled> {
        let again = error.kind == Kind::Document("source_unreachable") || error.retryable();
        let tx = self.app.db.tenant(found.tenant).await?;
        if again {
            let pause = PAUSES[usize::from(found.state.attempts > 0)];
            let tries = tx.finish(store::pull::put_off(&tx, found.document, found.epoch, pause)).await?;
            if tries.is_none_or(|tries| tries < MOST_ATTEMPTS) {
                self.hint(found.tenant, &found.key, source, pause).await?;
                return Ok(Pulled::Later);
            }
        }
        tracing::info!(document = %found.document, code = error.code(), cause = ?error, "ingest.pull failed");
        let tx = self.app.db.tenant(found.tenant).await?;
        let etag = found.state.built_etag.as_deref().unwrap_or_default();
        tx.finish(store::fail(&tx, found.document, found.epoch, etag, &error)).await?;
        Ok(Pulled::Failed)
    }
}

struct Page {
    bytes: Bytes,
    content_type: Option<String>,
    etag: Option<String>,
}

/// Where it leads is told to nobody: that would draw a map of our network.
fn unanswered(error: docent_llm::Error) -> Error {
    match error.kind() {
        ErrorKind::Endpoint => blocked().because(error),
        _ => unreachable().because(error),
    }
}

fn blocked() -> Error {
    Error::new(Kind::Document("source_blocked"), "The document's address leads where nothing may be read.")
        .hint("Use a public https address that does not redirect elsewhere.")
}

fn unreachable() -> Error {
    Error::new(Kind::Document("source_unreachable"), "The document's address does not answer.")
        .hint("Check the address, then POST /api/documents/{id}/redrive.")
}
