//! Uploads in parts, in the words of Uppy's `signRequest` (@uppy/aws-s3 6): one step after the other is signed, always for
//! the key that room was made for, whatever key the client names.

use uuid::Uuid;

use super::UPLOAD_VALID;
use crate::App;
use crate::auth::TenantId;
use crate::documents::store;
use crate::error::{Error, Kind, Result};
use crate::objects::multipart::{MOST_PARTS, SMALLEST_PART, Step};
use crate::objects::{Objects, Presigned, Put};

/// Files from here on go in parts by themselves; smaller ones may.
pub const PARTS_FROM: u64 = 100 * 1024 * 1024;
/// Bytes of the name that a bucket gives to an upload.
const LONGEST_UPLOAD_ID: usize = 1024;

/// Room that waits for its bytes, as it was announced.
#[derive(Clone, Debug)]
pub struct Room {
    pub key: String,
    pub size: i64,
    pub sha256: Option<Vec<u8>>,
    pub content_type: Option<String>,
}

/// What the client is about to send.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub upload_id: Option<String>,
    pub part_number: Option<u32>,
}

/// The signed step, and the key that it is for.
pub async fn sign(
    app: &App,
    objects: &Objects,
    tenant: TenantId,
    id: Uuid,
    asked: &Asked,
) -> Result<(String, Presigned)> {
    let room = {
        let tx = app.db.tenant(tenant).await?;
        tx.finish(store::versions::room(&tx, id)).await?
    };
    let room = room.ok_or_else(|| Error::not_found("document"))?.ok_or_else(|| {
        Error::new(Kind::Conflict, "No version of this document waits for bytes.")
            .hint("Ask for room with POST /api/upload and `onDuplicate: \"version\"` first.")
    })?;
    let size = u64::try_from(room.size).map_err(Error::internal)?;
    let content_type = room.content_type.as_deref().unwrap_or("application/octet-stream");
    let Some(step) = step(asked, size, content_type)? else {
        let sha256 = room.sha256.and_then(|hash| hash.try_into().ok());
        let put = Put { key: &room.key, content_type, size, sha256 };
        let mut signed = objects.presign_put(&put, app.clock.now(), UPLOAD_VALID).await?;
        // A browser sets it itself and refuses it from a script; it stays signed.
        signed.headers.retain(|(name, _)| name != "content-length");
        return Ok((room.key, signed));
    };
    if let Step::Complete { upload } = step {
        // Lengths of parts are not announced, so their sum is checked before they can become an object.
        let came = objects.received(&room.key, upload).await?.ok_or_else(|| Error::not_found("upload"))?;
        if came != size {
            return Err(Error::new(
                Kind::Conflict,
                format!("The parts have {came} bytes; room was made for {size} bytes."),
            )
            .hint("Send the parts that are missing, or abort and ask for room of the right size."));
        }
    }
    let signed = objects.presign_step(&room.key, &step, app.clock.now(), UPLOAD_VALID).await?;
    Ok((room.key, signed))
}

/// `None`: the whole file at once.
fn step<'a>(asked: &'a Asked, size: u64, content_type: &'a str) -> Result<Option<Step<'a>>> {
    let upload = asked.upload_id.as_deref();
    let plain =
        |id: &&str| (1..=LONGEST_UPLOAD_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if upload.is_some_and(|id| !plain(&id)) {
        return Err(Error::invalid("`uploadId` is not one that a bucket gives."));
    }
    Ok(Some(match (asked.method.as_str(), upload, asked.part_number) {
        ("PUT", None, None) => return Ok(None),
        ("PUT", Some(upload), Some(number)) => Step::Part { upload, number: part(number, size)? },
        ("POST", None, None) => Step::Create { content_type },
        ("POST", Some(upload), None) => Step::Complete { upload },
        ("GET", Some(upload), None) => Step::List { upload },
        ("DELETE", Some(upload), None) => Step::Abort { upload },
        _ => {
            return Err(Error::invalid(
                "`method` is PUT, POST, GET or DELETE, with `uploadId` and `partNumber` as @uppy/aws-s3 sends them.",
            ));
        }
    }))
}

/// No more parts than the announced size can have.
fn part(number: u32, size: u64) -> Result<u32> {
    let most = size.div_ceil(SMALLEST_PART).clamp(1, MOST_PARTS);
    if !(1..=most).contains(&u64::from(number)) {
        return Err(Error::invalid(format!("`partNumber` is a number from 1 to {most} for {size} bytes.")));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_by_table() {
        let asked = |method: &str, upload: Option<&str>, part_number| Asked {
            method: method.to_owned(),
            upload_id: upload.map(str::to_owned),
            part_number,
        };
        let named = |asked: &Asked| match step(asked, 12 * 1024 * 1024, "text/csv") {
            Ok(None) => "put".to_owned(),
            Ok(Some(step)) => format!("{step:?}").split([' ', '{']).next().unwrap_or_default().to_owned(),
            Err(error) => error.code().to_owned(),
        };
        let long = "u".repeat(LONGEST_UPLOAD_ID);
        for (request, expected) in [
            (asked("PUT", None, None), "put"),
            (asked("POST", None, None), "Create"),
            (asked("PUT", Some("u"), Some(1)), "Part"),
            (asked("PUT", Some("u"), Some(3)), "Part"),
            (asked("PUT", Some("u"), Some(4)), "invalid_request"),
            (asked("PUT", Some("u"), Some(0)), "invalid_request"),
            (asked("PUT", Some("u"), None), "invalid_request"),
            (asked("PUT", None, Some(1)), "invalid_request"),
            (asked("GET", Some("u"), None), "List"),
            (asked("GET", None, None), "invalid_request"),
            (asked("POST", Some("u"), None), "Complete"),
            (asked("DELETE", Some("u"), None), "Abort"),
            (asked("DELETE", None, None), "invalid_request"),
            (asked("PATCH", Some("u"), None), "invalid_request"),
            (asked("GET", Some(&long), None), "List"),
            (asked("GET", Some(&format!("{long}u")), None), "invalid_request"),
            (asked("GET", Some("a b"), None), "invalid_request"),
            (asked("GET", Some(""), None), "invalid_request"),
        ] {
            assert_eq!(named(&request), expected, "{request:?}");
        }
        assert!(part(10_000, u64::MAX).is_ok() && part(10_001, u64::MAX).is_err());
    }
}
