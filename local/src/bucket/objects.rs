//! Put, get, head, copy and delete.

use std::io::SeekFrom;
use std::ops::Range;

use s3s::dto::*;
use s3s::stream::ByteStream as _;
use s3s::{Body, S3Request, S3Result, s3_error};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::checksums::{Algorithm, Claims, claimed_in, with_checksums};
use super::clock::http_date;
use super::conditions::{Read, Write};
use super::events::Change;
use super::object::{Object, headers_of};
use super::s3::Bucket;
use super::stage::{Size, Staged, disk, files, hex, stage};
use super::store::{Draft, MAX_KEY_BYTES};

/// The most keys that one DeleteObjects may name, as in S3.
pub(super) const MAX_DELETES: usize = 1000;
const READ_BYTES: usize = 64 * 1024;

/// Takes the body of a put or a part, which spell it alike but share no type, to the disk.
macro_rules! receive {
    ($bucket:expr, $request:expr) => {{
        let input = &mut $request.input;
        let mut claims = Claims {
            md5: input.content_md5.take(),
            sums: claimed_in!(input),
            wanted: input.checksum_algorithm.as_ref().map(Algorithm::parse).transpose()?.into_iter().collect(),
            trailers: $request.trailing_headers.take(),
        };
        claims.announced(&$request.headers);
        $bucket.receive(input.body.take(), input.content_length, claims)
    }};
}
pub(super) use receive;

impl Bucket {
    pub(super) async fn put(
        &self,
        mut request: S3Request<PutObjectInput>,
        change: Change,
    ) -> S3Result<PutObjectOutput> {
        let input = &request.input;
        if input.key.is_empty() || input.key.len() > MAX_KEY_BYTES {
            return Err(s3_error!(KeyTooLongError, "A key has 1 to {MAX_KEY_BYTES} bytes."));
        }
        if input.tagging.is_some() || input.sse_customer_key.is_some() || input.write_offset_bytes.is_some() {
            return Err(s3_error!(NotImplemented, "Tags, customer keys and appending are not implemented here."));
        }
        let condition = Write { if_match: input.if_match.clone(), if_none_match: input.if_none_match.clone() };
        // A refused upload should not travel first; the commit checks again, then with the lock held.
        condition.check(self.store.index().get(&input.key).map(|object| &**object))?;
        let staged = receive!(self, request).await?;
        let draft = Draft {
            etag: hex(&staged.md5),
            checksums: staged.checksums.clone(),
            staged,
            headers: headers_of!(request.input),
            condition,
            change,
            key: request.input.key,
        };
        let object = self.store.commit(draft).await?;
        let (e_tag, checksum_type) = (Some(object.tag()), object.checksums.kind());
        Ok(with_checksums!(PutObjectOutput { e_tag: e_tag, checksum_type: checksum_type }, object.checksums))
    }

    pub(super) async fn receive(
        &self,
        body: Option<StreamingBlob>,
        content_length: Option<i64>,
        claims: Claims,
    ) -> S3Result<Staged> {
        let body = body.unwrap_or_else(|| StreamingBlob::from(Body::empty()));
        let known = body.remaining_length().exact().and_then(|length| u64::try_from(length).ok());
        let declared = match content_length {
            Some(length) => Some(u64::try_from(length).map_err(|_| s3_error!(InvalidRequest, "Content-Length < 0."))?),
            None => known,
        };
        if declared.is_none() {
            return Err(s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header."));
        }
        stage(&self.store.temporary(), body, Size { declared, limit: self.max_object_bytes }, &claims).await
    }

    pub(super) async fn get(&self, input: GetObjectInput) -> S3Result<GetObjectOutput> {
        only_version(input.version_id.as_deref())?;
        let (object, mut file) = self.store.read(&input.key).await?;
        read_condition(&input.if_match, &input.if_none_match, &input.if_modified_since, &input.if_unmodified_since)
            .check(&object)?;
        let span = span(&object, input.range, input.part_number)?;
        file.seek(SeekFrom::Start(span.start)).await.map_err(disk)?;
        let length = span.end - span.start;
        let whole = input.range.is_none();
        let shown = object.checksums.shown(input.checksum_mode.as_ref(), whole);
        let headers = &object.headers;
        Ok(with_checksums!(
            GetObjectOutput {
                accept_ranges: Some("bytes".to_owned()),
                body: Some(StreamingBlob::wrap(ReaderStream::with_capacity(file.take(length), READ_BYTES))),
                cache_control: headers.cache_control.clone(),
                checksum_type: shown.kind(),
                content_disposition: headers.content_disposition.clone(),
                content_encoding: headers.content_encoding.clone(),
                content_language: headers.content_language.clone(),
                content_length: Some(signed(length)),
                content_range: (!whole).then(|| content_range(&span, object.size)),
                content_type: Some(headers.content_type()),
                e_tag: Some(object.tag()),
                expires: headers.expires.clone(),
                last_modified: Some(http_date(object.modified)),
                metadata: headers.metadata(),
            },
            shown
        ))
    }

    pub(super) fn head(&self, input: HeadObjectInput) -> S3Result<HeadObjectOutput> {
        only_version(input.version_id.as_deref())?;
        let object = self.store.find(&input.key)?;
        read_condition(&input.if_match, &input.if_none_match, &input.if_modified_since, &input.if_unmodified_since)
            .check(&object)?;
        let span = span(&object, input.range, input.part_number)?;
        let whole = input.range.is_none();
        let shown = object.checksums.shown(input.checksum_mode.as_ref(), whole);
        let headers = &object.headers;
        Ok(with_checksums!(
            HeadObjectOutput {
                accept_ranges: Some("bytes".to_owned()),
                cache_control: headers.cache_control.clone(),
                checksum_type: shown.kind(),
                content_disposition: headers.content_disposition.clone(),
                content_encoding: headers.content_encoding.clone(),
                content_language: headers.content_language.clone(),
                content_length: Some(signed(span.end - span.start)),
                content_range: (!whole).then(|| content_range(&span, object.size)),
                content_type: Some(headers.content_type()),
                e_tag: Some(object.tag()),
                expires: headers.expires.clone(),
                last_modified: Some(http_date(object.modified)),
                metadata: headers.metadata(),
            },
            shown
        ))
    }

    pub(super) async fn copy(&self, mut request: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
        let input = &mut request.input;
        let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
            return Err(s3_error!(NotImplemented, "Copy from bucket/key: access points do not exist here."));
        };
        if **bucket != *input.bucket {
            return Err(s3_error!(NoSuchBucket, "This server has one bucket: {}.", input.bucket));
        }
        only_version(version_id.as_deref())?;
        let replaces = input.metadata_directive.as_ref().is_some_and(|how| how.as_str() == MetadataDirective::REPLACE);
        if **key == *input.key && !replaces {
            return Err(s3_error!(InvalidRequest, "A copy onto itself must replace the metadata."));
        }
        let (source, path) = self.store.locate(key)?;
        Read {
            if_match: input.copy_source_if_match.clone(),
            if_none_match: input.copy_source_if_none_match.clone(),
            if_modified_since: input.copy_source_if_modified_since.clone(),
            if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
        }
        .check_source(&source)?;
        let chosen = input.checksum_algorithm.as_ref().map(Algorithm::parse).transpose()?;
        let wanted = chosen.into_iter().chain(source.checksums.sums.keys().copied()).collect();
        let size = Size { declared: Some(source.size), limit: self.max_object_bytes };
        let claims = Claims { wanted, ..Claims::default() };
        let staged = stage(&self.store.temporary(), files(vec![path]), size, &claims).await?;
        let draft = Draft {
            key: input.key.clone(),
            etag: hex(&staged.md5),
            checksums: staged.checksums.clone(),
            staged,
            headers: if replaces { headers_of!(input) } else { source.headers.clone() },
            condition: Write::from_headers(&request.headers)?,
            change: Change::Copy,
        };
        let object = self.store.commit(draft).await?;
        let (e_tag, last_modified) = (Some(object.tag()), Some(http_date(object.modified)));
        let result = with_checksums!(CopyObjectResult { e_tag: e_tag, last_modified: last_modified }, object.checksums);
        Ok(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() })
    }

    pub(super) async fn delete(&self, input: DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
        only_version(input.version_id.as_deref())?;
        let condition = Write { if_match: input.if_match, if_none_match: None };
        self.store.delete(input.key, condition).await?;
        Ok(DeleteObjectOutput::default())
    }

    pub(super) async fn delete_many(&self, input: DeleteObjectsInput) -> S3Result<DeleteObjectsOutput> {
        if input.delete.objects.len() > MAX_DELETES {
            return Err(s3_error!(MalformedXML, "Name at most {MAX_DELETES} keys at a time."));
        }
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in input.delete.objects {
            let condition = Write { if_match: object.e_tag.map(ETagCondition::ETag), if_none_match: None };
            let outcome = match only_version(object.version_id.as_deref()) {
                Ok(()) => self.store.delete(object.key.clone(), condition).await,
                Err(error) => Err(error),
            };
            let key = Some(object.key);
            match outcome {
                Ok(_) => deleted.push(DeletedObject { key, ..Default::default() }),
                Err(error) => errors.push(Error {
                    key,
                    code: Some(error.code().as_str().to_owned()),
                    message: error.message().map(str::to_owned),
                    ..Default::default()
                }),
            }
        }
        let deleted = if input.delete.quiet == Some(true) { Vec::new() } else { deleted };
        Ok(DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), ..Default::default() })
    }
}

/// Answering with the current bytes when an old version was asked for would be a lie.
fn only_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some("null") => Ok(()),
        Some(_) => Err(s3_error!(NoSuchVersion, "Versions are not kept here.")),
    }
}

fn read_condition(
    if_match: &Option<ETagCondition>,
    if_none_match: &Option<ETagCondition>,
    if_modified_since: &Option<Timestamp>,
    if_unmodified_since: &Option<Timestamp>,
) -> Read {
    Read {
        if_match: if_match.clone(),
        if_none_match: if_none_match.clone(),
        if_modified_since: if_modified_since.clone(),
        if_unmodified_since: if_unmodified_since.clone(),
    }
}

fn span(object: &Object, range: Option<s3s::dto::Range>, part: Option<i32>) -> S3Result<Range<u64>> {
    if part.is_some() {
        return Err(s3_error!(NotImplemented, "Reading by part number is not implemented; use a range."));
    }
    match range {
        None => Ok(0..object.size),
        Some(range) => Ok(range.check(object.size)?),
    }
}

fn content_range(span: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", span.start, span.end - 1)
}

/// S3's types count bytes in signed numbers; sizes here come from files and fit.
pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
