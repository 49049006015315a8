//! The private system's own secrets: made once, kept in a file that only its owner reads.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use docent::config::Environment;
use docent_llm::LocalModel;
use url::Url;

use super::BUCKET;
use crate::command::Failure;

const NAMES: [&str; 6] = ["app_password", "access_key", "secret_key", "master_key", "ingest_secret", "cron_secret"];

pub struct Secrets {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

impl Secrets {
    pub fn open(home: &Path, fresh: bool) -> Result<Secrets, Failure> {
        let path = home.join("secrets.json");
        if fresh {
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::remove_dir_all(home.join("bucket"));
        }
        let values = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| broken(&path))?,
            Err(_) => BTreeMap::new(),
        };
        let mut secrets = Secrets { path, values };
        if NAMES.iter().any(|name| !secrets.values.contains_key(*name)) {
            for name in NAMES {
                let mut bytes = [0u8; 32];
                getrandom::fill(&mut bytes)
                    .map_err(|error| Failure::new(error.to_string(), "Check the system's random source."))?;
                let text = match name {
                    "master_key" => base64::engine::general_purpose::STANDARD.encode(bytes),
                    _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
                };
                secrets.values.entry(name.to_owned()).or_insert(text);
            }
            secrets.save()?;
        }
        Ok(secrets)
    }

    fn get(&self, name: &str) -> String {
        self.values.get(name).cloned().unwrap_or_default()
    }

    pub fn access_key(&self) -> String {
        self.get("access_key")
    }

    pub fn secret_key(&self) -> String {
        self.get("secret_key")
    }

    pub fn demo_token(&self) -> Option<String> {
        self.values.get("demo_token").cloned()
    }

    pub fn keep_demo_token(&self, token: &str) -> Result<(), Failure> {
        let mut values = self.values.clone();
        values.insert("demo_token".to_owned(), token.to_owned());
        Secrets { path: self.path.clone(), values }.save()
    }

    /// The administrator's URL with the app role's name and password in the place of its own.
    pub fn app_url(&self, admin_url: &str) -> Result<String, Failure> {
        let wrong =
            || Failure::new("DATABASE_URL is not a postgres:// URL.", "Write postgres://user:password@host/database.");
        let mut url = Url::parse(admin_url).map_err(|_| wrong())?;
        url.set_username("docent_app").map_err(|()| wrong())?;
        url.set_password(Some(&self.get("app_password"))).map_err(|()| wrong())?;
        Ok(url.to_string())
    }

    /// The environment that the functions would be given in the cloud.
    pub fn environment(
        &self,
        given: Environment,
        app_url: &str,
        bucket: &str,
        model: Option<&dyn LocalModel>,
    ) -> Environment {
        let model = given.get("EMBEDDING_MODEL").or(model.map(LocalModel::model)).unwrap_or("hash-384").to_owned();
        given
            .with("DATABASE_URL", app_url)
            .with("S3_ENDPOINT", bucket)
            .with("S3_BUCKET", BUCKET)
            .with("S3_REGION", "us-east-1")
            .with("AWS_ACCESS_KEY_ID", self.access_key())
            .with("AWS_SECRET_ACCESS_KEY", self.secret_key())
            .with("AWS_SESSION_TOKEN", "")
            .with("MASTER_KEY_l1", self.get("master_key"))
            .with("MASTER_KEY_CURRENT", "l1")
            .with("INGEST_SECRET", self.get("ingest_secret"))
            .with("CRON_SECRET", self.get("cron_secret"))
            .with("ALLOW_LOOPBACK_PROVIDERS", "1")
            // Whoever brings the keys here is the operator.
            .or("PROVIDER_ORIGINS", "*")
            .with("EMBEDDING_MODEL", model)
            .or("DOCENT_ENV", "development")
    }

    fn save(&self) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(&self.values).map_err(|_| broken(&self.path))?;
        let cannot = |error: std::io::Error| {
            Failure::new(
                format!("{} cannot be written: {error}.", self.path.display()),
                "Choose another folder with --data DIR.",
            )
        };
        let partial = self.path.with_extension("partial");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)
            .map_err(cannot)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(cannot)?;
        std::fs::rename(&partial, &self.path).map_err(cannot)
    }
}

fn broken(path: &Path) -> Failure {
    Failure::new(format!("{} is not readable as secrets.", path.display()), "Restore it, or start anew with --fresh.")
}
