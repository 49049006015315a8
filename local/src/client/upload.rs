//! One file's way in, as `docent ingest` goes it: hash, ask for room, send (in parts when it is large), wait.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Body, Method, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::{Client, unreachable};
use crate::command::Failure;

/// How often a document is looked at while it is being ingested.
const POLL: Duration = Duration::from_millis(250);
/// Bytes of one part; more when there would be more parts than a bucket takes.
const PART: u64 = 8 * 1024 * 1024;
/// Parts of one object, as S3 and R2 have it.
const MOST_PARTS: u64 = 10_000;

/// A file, and what it is called in the library.
pub struct Named {
    pub path: PathBuf,
    pub name: String,
}

/// What a file is to become.
pub struct Wish {
    pub on_duplicate: &'static str,
    pub collection: Option<String>,
    /// In parts whatever the size.
    pub parts: bool,
}

/// A file that ended its way.
pub struct Ended {
    pub filename: String,
    pub outcome: Outcome,
    pub chunks: u64,
    pub pages: Option<u64>,
    /// Bytes that were sent for it.
    pub sent: u64,
}

pub enum Outcome {
    Ready,
    /// The same bytes were there.
    Unchanged,
    /// Something of that name was there.
    Skipped,
    /// Code, message and next step.
    Failed(String),
}

impl Client {
    /// Uploads one file, unless it is there, and waits until it is ready or failed; `progress` hears each state.
    pub async fn ingest(&self, file: &Named, wish: &Wish, progress: &(dyn Fn(&str) + Sync)) -> Result<Ended, Failure> {
        let Named { path, name: filename } = file;
        progress("hashing");
        let (size, sha256) = hash(path).await.map_err(|error| unreadable(path, &error))?;
        let mut asked =
            json!({ "filename": filename, "size": size, "sha256": sha256, "onDuplicate": wish.on_duplicate });
        if let Some(collection) = &wish.collection {
            asked["collectionId"] = json!(collection);
        }
        let made = self.json(Method::POST, "/api/upload", Some(asked)).await?;
        let id = made["documentId"].as_str().unwrap_or_default().to_owned();
        let sent = match &made["upload"] {
            Value::Null => 0,
            upload => {
                match wish.parts || upload["multipart"] == true {
                    true => self.send_parts(path, size, &id, progress).await?,
                    false => self.send_file(path, upload, progress).await?,
                }
                self.json(Method::POST, &format!("/api/upload/{id}/complete"), None).await?;
                size
            }
        };
        let document = self.settled(&id, made["version"].as_i64().unwrap_or(1), progress).await?;
        let failure = failure(&document);
        let outcome = match (made["duplicate"].as_str(), failure) {
            (_, Some(why)) => Outcome::Failed(why),
            (Some("unchanged"), None) => Outcome::Unchanged,
            (Some("skipped"), None) => Outcome::Skipped,
            (_, None) => Outcome::Ready,
        };
        let (chunks, pages) = (document["chunks"].as_u64().unwrap_or_default(), document["pages"].as_u64());
        Ok(Ended { filename: filename.clone(), outcome, chunks, pages, sent })
    }

    /// Sends bytes and does not say that they are there: whoever takes them up heard of it from the bucket. Gives the
    /// document's id.
    pub async fn leave(&self, filename: &str, bytes: &'static [u8]) -> Result<String, Failure> {
        let asked = json!({ "filename": filename, "size": bytes.len() });
        let made = self.json(Method::POST, "/api/upload", Some(asked)).await?;
        self.step(Method::PUT, &made["upload"], bytes.into()).await?;
        Ok(made["documentId"].as_str().unwrap_or_default().to_owned())
    }

    /// The id of a collection that is called so, or that has this id.
    pub async fn collection(&self, wanted: &str) -> Result<String, Failure> {
        let all = self.json(Method::GET, "/api/collections", None).await?;
        let all = all["collections"].as_array().cloned().unwrap_or_default();
        let found = all.iter().find(|one| one["name"] == wanted || one["id"] == wanted);
        found.and_then(|one| one["id"].as_str()).map(str::to_owned).ok_or_else(|| {
            let names: Vec<&str> = all.iter().filter_map(|one| one["name"].as_str()).collect();
            Failure::new(
                format!("There is no collection `{wanted}`."),
                format!("Name one of these: {}.", names.join(", ")),
            )
        })
    }

    async fn settled(&self, id: &str, version: i64, progress: &(dyn Fn(&str) + Sync)) -> Result<Value, Failure> {
        loop {
            let document = self.json(Method::GET, &format!("/api/documents/{id}"), None).await?;
            let status = document["status"].as_str().unwrap_or_default();
            // `ready` counts once it is this version's.
            let shown = document["currentVersion"].as_i64().is_some_and(|shown| shown >= version);
            if status == "failed" || (status == "ready" && shown) {
                return Ok(document);
            }
            match (document["progress"]["done"].as_u64(), document["progress"]["total"].as_u64()) {
                (Some(done), Some(total)) if total > 0 => progress(&format!("{status} {done}/{total}")),
                _ => progress(status),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn send_file(&self, path: &Path, upload: &Value, progress: &(dyn Fn(&str) + Sync)) -> Result<(), Failure> {
        progress("uploading");
        let file = File::open(path).await.map_err(|error| unreadable(path, &error))?;
        self.step(Method::PUT, upload, file.into()).await.map(|_| ())
    }

    /// One part after the other; a part that fails is sent again with the whole file's next run.
    async fn send_parts(
        &self,
        path: &Path,
        size: u64,
        id: &str,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<(), Failure> {
        let sign = format!("/api/upload/{id}/sign");
        let signed = self.json(Method::POST, &sign, Some(json!({ "method": "POST" }))).await?;
        let created = self.step(Method::POST, &signed, Body::from("")).await?.text().await.map_err(unreachable)?;
        let upload = between(&created, "<UploadId>", "</UploadId>").unwrap_or_default();
        let length = PART.max(size.div_ceil(MOST_PARTS));
        let count = size.div_ceil(length);
        let mut file = File::open(path).await.map_err(|error| unreadable(path, &error))?;
        let mut list = String::from("<CompleteMultipartUpload>");
        for number in 1..=count {
            progress(&format!("uploading {number}/{count}"));
            let (at, left) = ((number - 1) * length, length.min(size - (number - 1) * length));
            file.seek(std::io::SeekFrom::Start(at)).await.map_err(|error| unreadable(path, &error))?;
            let mut bytes = Vec::with_capacity(usize::try_from(left).unwrap_or_default());
            (&mut file).take(left).read_to_end(&mut bytes).await.map_err(|error| unreadable(path, &error))?;
            let ask = json!({ "method": "PUT", "uploadId": upload, "partNumber": number });
            let signed = self.json(Method::POST, &sign, Some(ask)).await?;
            let answer = self.step(Method::PUT, &signed, bytes.into()).await?;
            let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok()).unwrap_or_default();
            list.push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"));
        }
        list.push_str("</CompleteMultipartUpload>");
        let ask = json!({ "method": "POST", "uploadId": upload });
        let signed = self.json(Method::POST, &sign, Some(ask)).await?;
        self.step(Method::POST, &signed, list.into()).await.map(|_| ())
    }

    /// One request to the bucket, exactly as it was signed.
    async fn step(&self, method: Method, signed: &Value, body: Body) -> Result<Response, Failure> {
        let mut request = self.http.request(method, signed["url"].as_str().unwrap_or_default()).body(body);
        for (name, value) in signed["headers"].as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
        let response = request.send().await.map_err(unreachable)?;
        // Somebody else, or an earlier try whose answer was lost, put the very same room's bytes there.
        if response.status().is_success() || response.status().as_u16() == 412 {
            return Ok(response);
        }
        Err(Failure::new(
            format!("The bucket refused the upload ({}).", response.status()),
            "Try again; the upload URL lives 15 minutes.",
        ))
    }
}

/// Size and SHA-256, read in pieces: a file may be larger than memory.
async fn hash(path: &Path) -> std::io::Result<(u64, String)> {
    let mut file = File::open(path).await?;
    let (mut hash, mut size, mut piece) = (Sha256::new(), 0_u64, vec![0; 1 << 18]);
    loop {
        let read = file.read(&mut piece).await?;
        if read == 0 {
            return Ok((size, hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()));
        }
        hash.update(&piece[..read]);
        size += read as u64;
    }
}

fn failure(document: &Value) -> Option<String> {
    let error = document["error"].as_object().filter(|_| document["status"] == "failed")?;
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    Some(format!("{}: {} {}", text("code"), text("message"), text("hint")))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} cannot be read: {error}.", path.display()), "Check the path and its permissions.")
}
