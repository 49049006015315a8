//! Documents that nobody uploads: their bytes are pulled from an address, now and whenever the keeper asks.

pub(super) mod routes;

use docent_llm::{Url, address};
use serde_json::Value;
use uuid::Uuid;

use super::{Document, Status, find, name, object_key, store, version_key};
use crate::App;
use crate::auth::TenantId;
use crate::error::{Error, Kind, Result};
use crate::limits::idempotency::{self, Attempt, Once};

/// What a caller says about an address.
#[derive(Clone, Debug)]
pub struct NewSource {
    pub url: Url,
    pub filename: Option<String>,
    pub collection: Option<Uuid>,
    pub metadata: Option<Value>,
}

/// Makes a document of an address; ingestion pulls the bytes.
pub async fn create(app: &App, tenant: TenantId, new: &NewSource, attempt: Option<&Attempt>) -> Result<Once<Uuid>> {
    allowed(app, &new.url)?;
    let filename = name::clean(&new.filename.clone().unwrap_or_else(|| named(&new.url)))?;
    let (id, hint) = (app.clock.uuid(), app.clock.uuid());
    let key = object_key(tenant, id);
    let tx = app.db.tenant(tenant).await?;
    let row = store::source::NewRow { id, hint, key: &key, filename: &filename, new };
    let insert = async {
        match store::source::insert(&tx, &row).await? {
            true => Ok(id),
            false => Err(Error::invalid("`collectionId` names no collection of this tenant.")
                .hint("GET /api/collections lists them.")),
        }
    };
    idempotency::once(&tx, attempt, insert).await
}

/// Asks the origin again; readers keep what they have until other bytes are ready.
pub async fn refresh(app: &App, tenant: TenantId, id: Uuid) -> Result<Document> {
    let document = find(app, tenant, id).await?;
    if document.status == Status::Deleted {
        return Err(Error::not_found("document"));
    }
    if document.source_url.is_none() {
        return Err(Error::new(Kind::Conflict, "This document was uploaded, so there is no address to ask again.")
            .hint("Upload a new version instead."));
    }
    let tx = app.db.tenant(tenant).await?;
    let work = async {
        store::lock(&tx, id).await?;
        let version = store::source::next(&tx, id).await?;
        store::source::refresh(&tx, id, &version_key(tenant, id, version), version, app.clock.uuid()).await
    };
    let queued = work.await;
    tx.commit().await?;
    match queued? {
        true => find(app, tenant, id).await,
        false => Err(Error::new(Kind::Conflict, "The document is being read at this moment.")
            .hint("Wait until it is ready or failed.")),
    }
}

/// The same walls as around every address that a tenant names; the transport asks them again at every connection.
pub fn allowed(app: &App, url: &Url) -> Result<()> {
    address::check(url, app.limits.loopback_providers).map_err(|cause| {
        Error::new(Kind::InvalidRequest, "`url` is not an address that can be read from here.")
            .hint("Use https, a public host, port 443, and neither user name nor fragment.")
            .because(cause)
    })
}

/// The last part of the path; a page without one is called by its host.
fn named(url: &Url) -> String {
    let last = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    let last = percent_encoding::percent_decode_str(last).decode_utf8_lossy().into_owned();
    let shown: String = last.chars().take(name::LONGEST_NAME).collect();
    match name::clean(&shown) {
        Ok(name) => name,
        Err(_) => format!("{}.html", url.host_str().unwrap_or("page")).chars().take(name::LONGEST_NAME).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_its_document() {
        for (url, expected) in [
            ("https://example.com/docs/Guide%20to%20X.pdf?v=2", "Guide to X.pdf"),
            ("https://example.com/", "example.com.html"),
            ("https://example.com", "example.com.html"),
            ("https://example.com/a/%2e%2e%2f", "example.com.html"),
            ("https://example.com/%E2%80%AEfdp.txt", "fdp.txt"),
            ("https://example.com/caf%e9", "caf\u{fffd}"),
        ] {
            assert_eq!(named(&url.parse().unwrap()), expected, "{url}");
        }
        let long: Url = format!("https://example.com/{}", "n".repeat(400)).parse().unwrap();
        assert_eq!(named(&long).len(), name::LONGEST_NAME);
    }
}
