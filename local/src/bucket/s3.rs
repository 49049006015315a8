//! The S3 operations that exist here, and where each one is done. Everything else answers `NotImplemented`.

use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};

use super::events::Change;
use super::store::Store;

/// Clients may sign for any region; this one is what they are told.
pub(super) const REGION: &str = "us-east-1";

pub(super) struct Bucket {
    pub store: Arc<Store>,
    pub max_object_bytes: u64,
}

type Answer<T> = S3Result<S3Response<T>>;

#[async_trait]
impl S3 for Bucket {
    async fn head_bucket(&self, _: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        let output = HeadBucketOutput { bucket_region: Some(REGION.to_owned()), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn get_bucket_location(&self, _: S3Request<GetBucketLocationInput>) -> Answer<GetBucketLocationOutput> {
        // S3 says nothing for us-east-1.
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    /// POST forms come here too: `s3s` checks their policy and hands on what they carry.
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        let change = if request.method == Method::POST { Change::Post } else { Change::Put };
        self.put(request, change).await.map(S3Response::new)
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        self.get(request.input).await.map(S3Response::new)
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        self.head(request.input).map(S3Response::new)
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        self.copy(request).await.map(S3Response::new)
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        self.delete(request.input).await.map(S3Response::new)
    }

    async fn delete_objects(&self, request: S3Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> {
        self.delete_many(request.input).await.map(S3Response::new)
    }

    async fn list_objects_v2(&self, request: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
        self.list(request.input).map(S3Response::new)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        self.create_upload(request.input).await.map(S3Response::new)
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> Answer<ListMultipartUploadsOutput> {
        self.begun(request.input).await.map(S3Response::new)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        self.add_part(request).await.map(S3Response::new)
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        self.parts(request.input).await.map(S3Response::new)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        self.complete_upload(request.input).await.map(S3Response::new)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        self.abort_upload(request.input).await.map(S3Response::new)
    }
}
