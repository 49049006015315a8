//! A bucket on a free port, with the clients that talk to it.

use std::fmt::Debug;
use std::path::Path;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::Builder;
use docent_local::bucket::{self, Options};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub const BUCKET: &str = "docent";
pub const ACCESS_KEY: &str = "local-access";
pub const SECRET_KEY: &str = "local-secret";

pub struct Server {
    pub client: Client,
    pub origin: String,
    pub events: mpsc::Receiver<String>,
    folder: tempfile::TempDir,
    running: JoinSet<()>,
}

impl Server {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
        Self::over(tempfile::tempdir().unwrap(), change).await
    }

    async fn over(folder: tempfile::TempDir, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(folder.path(), ACCESS_KEY, SECRET_KEY, BUCKET);
        change(&mut options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (sender, events) = mpsc::channel(1024);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let error = bucket::serve(options, listener, sender).await.unwrap_err();
            panic!("{error}");
        });
        Self { client: client(&origin, SECRET_KEY), origin, events, folder, running }
    }

    /// Cuts the server off where it stands and starts another one over the same folder.
    pub async fn restart(mut self) -> Self {
        self.running.shutdown().await;
        Self::over(self.folder, |_| {}).await
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn url(&self, key: &str) -> String {
        format!("{}/{BUCKET}/{key}", self.origin)
    }

    pub async fn put(&self, key: &str, body: &str) -> String {
        let put = self.client.put_object().bucket(BUCKET).key(key).body(bytes(body));
        put.send().await.unwrap().e_tag.unwrap()
    }

    pub async fn get(&self, key: &str) -> String {
        let got = self.client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap()
    }

    pub async fn keys(&self) -> Vec<String> {
        let listed = self.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
        listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }

    /// The next event; it is sent before the response, so it must be there already.
    pub fn event(&mut self) -> Value {
        let document: Value = serde_json::from_str(&self.events.try_recv().expect("an event")).unwrap();
        assert_eq!(document["Records"].as_array().unwrap().len(), 1);
        document["Records"][0].clone()
    }
}

pub fn client(origin: &str, secret: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(Builder::new().build_http())
        .endpoint_url(origin)
        .force_path_style(true)
        .region(Region::new("us-east-1"))
        .retry_config(RetryConfig::disabled())
        .credentials_provider(Credentials::new(ACCESS_KEY, secret, None, None, "test"));
    Client::from_conf(config.build())
}

pub fn bytes(body: &str) -> ByteStream {
    ByteStream::from(body.as_bytes().to_vec())
}

/// Status and S3 error code of a call that must fail.
pub fn refusal<T: Debug, E: ProvideErrorMetadata + Debug>(result: Result<T, SdkError<E>>) -> (u16, String) {
    let error = result.expect_err("a refusal");
    let status = error.raw_response().expect("a response").status().as_u16();
    (status, error.code().unwrap_or_default().to_owned())
}

pub fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
