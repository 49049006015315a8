//! Multipart uploads: create, add parts, list them, complete, abort.

use std::collections::BTreeMap;
use std::path::PathBuf;

use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::checksums::{Algorithm, Checksums, Claims, claimed_in, with_checksums};
use super::clock::{self, http_date};
use super::conditions::Write;
use super::events::Change;
use super::object::headers_of;
use super::objects::{receive, signed};
use super::s3::Bucket;
use super::stage::{Size, blocking, files, hex, stage};
use super::store::Draft;
use super::uploads::{Part as StoredPart, Upload, Uploads, parts};

/// The highest part number, as in S3.
pub(super) const MAX_PART_NUMBER: i32 = 10_000;
/// The smallest part but for the last, as in S3.
pub(super) const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;
/// The most parts of one ListParts page, as in S3.
pub(super) const MAX_LISTED_PARTS: i32 = 1000;

impl Bucket {
    pub(super) async fn create_upload(
        &self,
        mut input: CreateMultipartUploadInput,
    ) -> S3Result<CreateMultipartUploadOutput> {
        if input.tagging.is_some() || input.sse_customer_key.is_some() {
            return Err(s3_error!(NotImplemented, "Tags and customer keys are not implemented here."));
        }
        let algorithm = input.checksum_algorithm.as_ref().map(Algorithm::parse).transpose()?;
        let composite = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
            Some(kind) => kind == ChecksumType::COMPOSITE,
            None => algorithm != Some(Algorithm::Crc64nvme),
        };
        let headers = headers_of!(input);
        let upload = Upload { key: input.key.clone(), created: clock::now(), algorithm, composite, headers };
        let uploads = self.uploads();
        let id = blocking(move || uploads.create(&upload)).await?;
        let kind = if composite { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT };
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_type: algorithm.map(|_| ChecksumType::from_static(kind)),
            checksum_algorithm: input.checksum_algorithm,
            ..Default::default()
        })
    }

    pub(super) async fn add_part(&self, mut request: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
        let number = request.input.part_number;
        if !(1..=MAX_PART_NUMBER).contains(&number) {
            return Err(s3_error!(InvalidArgument, "Part numbers run from 1 to {MAX_PART_NUMBER}."));
        }
        let uploads = self.uploads();
        let (folder, upload) = uploads.find(&request.input.upload_id, &request.input.key)?;
        if request.input.checksum_algorithm.is_none() {
            request.input.checksum_algorithm =
                upload.algorithm.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name()));
        }
        let staged = receive!(self, request).await?;
        let part = blocking(move || uploads.add(&folder, number.unsigned_abs(), staged)).await?;
        let e_tag = Some(ETag::Strong(part.etag()));
        Ok(with_checksums!(UploadPartOutput { e_tag: e_tag }, part.checksums))
    }

    /// The first page is all there is: a pocket bucket has few uploads at a time.
    pub(super) async fn begun(&self, input: ListMultipartUploadsInput) -> S3Result<ListMultipartUploadsOutput> {
        let (uploads, prefix) = (self.uploads(), input.prefix.clone().unwrap_or_default());
        let most = input.max_uploads.unwrap_or(MAX_LISTED_PARTS).clamp(0, MAX_LISTED_PARTS);
        let mut found = blocking(move || uploads.all(&prefix)).await?;
        let more = found.len() > usize::try_from(most).unwrap_or(0);
        found.truncate(usize::try_from(most).unwrap_or(0));
        let begun = found.into_iter().map(|(id, upload)| MultipartUpload {
            key: Some(upload.key),
            upload_id: Some(id),
            initiated: Some(http_date(upload.created)),
            ..Default::default()
        });
        Ok(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix,
            max_uploads: Some(most),
            is_truncated: Some(more),
            uploads: Some(begun.collect()),
            ..Default::default()
        })
    }

    pub(super) async fn parts(&self, input: ListPartsInput) -> S3Result<ListPartsOutput> {
        let (folder, upload) = self.uploads().find(&input.upload_id, &input.key)?;
        let stored = blocking(move || parts(&folder)).await?;
        let max_parts = input.max_parts.unwrap_or(MAX_LISTED_PARTS).clamp(0, MAX_LISTED_PARTS);
        let marker = input.part_number_marker.unwrap_or(0).max(0);
        let mut rest = stored.range(marker.unsigned_abs() + 1..);
        let page: Vec<_> = rest.by_ref().take(usize::try_from(max_parts).unwrap_or(0)).map(entry).collect();
        Ok(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm: upload.algorithm.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
            max_parts: Some(max_parts),
            part_number_marker: Some(marker),
            next_part_number_marker: page.last().and_then(|part| part.part_number),
            is_truncated: Some(rest.next().is_some()),
            parts: Some(page),
            ..Default::default()
        })
    }

    pub(super) async fn complete_upload(
        &self,
        input: CompleteMultipartUploadInput,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let uploads = self.uploads();
        let (folder, upload) = uploads.find(&input.upload_id, &input.key)?;
        let stored = {
            let folder = folder.clone();
            blocking(move || parts(&folder)).await?
        };
        let requested = input.multipart_upload.as_ref().and_then(|upload| upload.parts.as_deref()).unwrap_or_default();
        let chosen = choose(&stored, requested)?;
        let size = chosen.iter().map(|part| part.size).sum();
        if input.mpu_object_size.is_some_and(|declared| declared != signed(size)) {
            return Err(s3_error!(InvalidRequest, "The parts have {size} bytes, not what x-amz-mp-object-size says."));
        }
        let full = upload.algorithm.filter(|_| !upload.composite);
        let claims = Claims { wanted: full.into_iter().collect(), ..Claims::default() };
        let paths: Vec<PathBuf> = chosen.iter().map(|part| folder.join(&part.blob)).collect();
        let limit = Size { declared: Some(size), limit: self.max_object_bytes };
        let staged = stage(&self.store.temporary(), files(paths), limit, &claims).await?;
        let checksums = match upload.algorithm.filter(|_| upload.composite) {
            Some(algorithm) => {
                let sums: Vec<Checksums> = chosen.iter().map(|part| part.checksums.clone()).collect();
                Checksums::composite(algorithm, &sums)?
            }
            None => staged.checksums.clone(),
        };
        checksums.verify(&claimed_in!(input))?;
        let condition = Write { if_match: input.if_match, if_none_match: input.if_none_match };
        let (headers, change) = (upload.headers, Change::Complete);
        let draft = Draft { key: upload.key, etag: etag(&chosen), checksums, staged, headers, condition, change };
        let object = self.store.commit(draft).await?;
        if let Err(error) = blocking(move || uploads.remove(&folder)).await {
            tracing::warn!(%error, "parts of a completed upload stay until they are stale");
        }
        let location = format!("/{}/{}", input.bucket, super::events::encode(&object.key, "%20"));
        Ok(with_checksums!(
            CompleteMultipartUploadOutput {
                bucket: Some(input.bucket),
                key: Some(object.key.clone()),
                location: Some(location),
                e_tag: Some(object.tag()),
                checksum_type: object.checksums.kind(),
            },
            object.checksums
        ))
    }

    pub(super) async fn abort_upload(&self, input: AbortMultipartUploadInput) -> S3Result<AbortMultipartUploadOutput> {
        let uploads = self.uploads();
        let (folder, _) = uploads.find(&input.upload_id, &input.key)?;
        blocking(move || uploads.remove(&folder)).await?;
        Ok(AbortMultipartUploadOutput::default())
    }

    fn uploads(&self) -> Uploads {
        Uploads { folder: self.store.uploads(), temporary: self.store.temporary() }
    }
}

/// The stored parts that the client named, in its order, which must ascend.
fn choose(stored: &BTreeMap<u32, StoredPart>, requested: &[CompletedPart]) -> S3Result<Vec<StoredPart>> {
    if requested.is_empty() {
        return Err(s3_error!(MalformedXML, "Name at least one part."));
    }
    if !requested.windows(2).all(|pair| pair[0].part_number < pair[1].part_number) {
        return Err(s3_error!(InvalidPartOrder, "The list of parts must ascend by part number."));
    }
    let mut chosen = Vec::new();
    for part in requested {
        let number = part.part_number.unwrap_or(0);
        let found = stored.get(&number.unsigned_abs()).filter(|_| number > 0);
        let found = found.filter(|found| part.e_tag.as_ref().is_some_and(|tag| tag.value() == found.etag()));
        let found = found.ok_or_else(|| s3_error!(InvalidPart, "Part {number} is missing or has another ETag."))?;
        let claimed: Checksums = claimed_in!(part);
        found.checksums.verify(&claimed).map_err(|_| s3_error!(InvalidPart, "Part {number} has another checksum."))?;
        chosen.push(found.clone());
    }
    let (_, all_but_last) = chosen.split_last().map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
    if all_but_last.iter().any(|part| part.size < MIN_PART_BYTES) {
        return Err(s3_error!(EntityTooSmall, "Every part but the last needs at least {MIN_PART_BYTES} bytes."));
    }
    Ok(chosen)
}

/// The MD5 of the parts' MD5s and their number: what S3 does, and what clients check.
fn etag(parts: &[StoredPart]) -> String {
    let digests: Vec<u8> = parts.iter().flat_map(|part| part.md5).collect();
    format!("{}-{}", hex(&Md5::checksum(&digests)), parts.len())
}

#[expect(clippy::needless_update, reason = "the macro also serves types with more fields")]
fn entry((number, part): (&u32, &StoredPart)) -> Part {
    with_checksums!(
        Part {
            part_number: i32::try_from(*number).ok(),
            e_tag: Some(ETag::Strong(part.etag())),
            last_modified: Some(http_date(part.modified)),
            size: Some(signed(part.size)),
        },
        part.checksums
    )
}
