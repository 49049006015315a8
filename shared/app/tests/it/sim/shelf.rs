//! The bucket behind everybody's back: bytes are put and taken without an upload's signature.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation};
use bytes::Bytes;

#[derive(Clone)]
pub struct Shelf(Client);

impl Shelf {
    pub fn new(endpoint: &str) -> Shelf {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test-access", "test-secret", None, None, "tests"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .endpoint_url(endpoint)
            .force_path_style(true);
        Shelf(Client::from_conf(config.build()))
    }

    /// Gives the bytes' etag.
    pub async fn put(&self, key: &str, bytes: Bytes) -> String {
        let done = self.0.put_object().bucket("docent").key(key).body(bytes.into()).send().await.unwrap();
        done.e_tag().unwrap().trim_matches('"').to_owned()
    }

    pub async fn delete(&self, key: &str) {
        self.0.delete_object().bucket("docent").key(key).send().await.unwrap();
    }
}
