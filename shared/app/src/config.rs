//! All reading of the environment: one small struct per concern, each field's variable named beside it.
//! What is missing or contradicts itself stops the start, naming the variable and the remedy.

mod answers;
mod paces;
mod qdrant;
mod queue;
mod sessions;
mod telemetry;
pub mod variables;

use std::collections::BTreeMap;

use secrecy::SecretString;
use url::Url;

use crate::limits::{Policy, Rates};

pub use answers::{Answers, BEFORE_THE_PLATFORM};
pub use paces::Paces;
pub use qdrant::Qdrant;
pub use queue::{Pull, Queue, Sqs};
pub use sessions::{AuthJs, Dialect, Issuer, IssuerKeys, Sessions};
pub use telemetry::{Sentry, Telemetry, Traces};

/// What a tenant may spend in a day on the operator's own keys. Without it nobody is served with them: what a stranger
/// may spend must be finite.
pub const OPERATOR_CAP: &str = "OPERATOR_SPEND_CAP_DAILY_USD";

/// A configuration that cannot work: which variable, what is wrong with it, what to do.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {problem} {remedy}")]
pub struct Error {
    pub variable: String,
    pub problem: String,
    pub remedy: String,
}

impl Error {
    pub fn new(variable: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error { variable: variable.to_owned(), problem: problem.into(), remedy: remedy.into() }
    }
}

/// The variables of a process, or of a test.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

// The values are secrets as often as not.
impl std::fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn process() -> Environment {
        Environment(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// Names, without what they are set to.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Environment {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Sets a variable that is not set yet.
    pub fn or(self, name: &str, value: &str) -> Environment {
        match self.get(name) {
            Some(_) => self,
            None => self.with(name, value),
        }
    }

    /// An empty variable counts as absent: that is how hosting consoles "remove" one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    pub fn required(&self, name: &str, remedy: &str) -> Result<&str, Error> {
        self.get(name).ok_or_else(|| Error::new(name, "is not set.", remedy))
    }

    fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T, Error> {
        match self.get(name) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|_| Error::new(name, "is not a whole number.", "Give digits only.")),
        }
    }

    pub(crate) fn names_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.keys().filter_map(move |name| name.strip_prefix(prefix))
    }
}

#[derive(Clone)]
pub struct Database {
    /// `DATABASE_URL`: the app role's, through the pooler when there is one.
    pub url: String,
    /// `DATABASE_POOL_SIZE`: connections per process; 1 or 2 on Lambda, more where one process serves many requests.
    pub pool_size: usize,
}

impl Database {
    pub fn read(environment: &Environment) -> Result<Database, Error> {
        let url = environment
            .required("DATABASE_URL", "Give the URL of the docent_app role, e.g. postgres://docent_app:…@host/db.")?;
        if url.parse::<tokio_postgres::Config>().is_err() {
            return Err(Error::new(
                "DATABASE_URL",
                "is not a Postgres URL.",
                "Write postgres://user:password@host/database.",
            ));
        }
        Ok(Database { url: url.to_owned(), pool_size: environment.number("DATABASE_POOL_SIZE", 4)?.clamp(1, 64) })
    }
}

/// Where documents lie: S3, R2 or anything that speaks S3.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// `S3_BUCKET` (or `CLOUDFLARE_R2_BUCKET_NAME`).
    pub name: String,
    /// `S3_REGION`, else `AWS_REGION`, else `auto` (what R2 expects, also where the platform has an `AWS_REGION`).
    pub region: String,
    /// `S3_ENDPOINT`: absent on AWS itself. (`CLOUDFLARE_R2_ACCOUNT_ID` gives R2's.)
    pub endpoint: Option<Url>,
    /// `S3_PUBLIC_ENDPOINT`: where browsers reach the bucket, when that is not where we do (containers).
    pub public_endpoint: Option<Url>,
    /// `AWS_ACCESS_KEY_ID` (or `CLOUDFLARE_R2_ACCESS_KEY_ID`).
    pub access_key: String,
    /// `AWS_SECRET_ACCESS_KEY` (or `CLOUDFLARE_R2_SECRET_ACCESS_KEY`).
    pub secret_key: SecretString,
    /// `AWS_SESSION_TOKEN`: set by Lambda for the function's own role.
    pub session_token: Option<SecretString>,
}

impl Bucket {
    pub fn read(environment: &Environment) -> Result<Bucket, Error> {
        // Whoever names R2's account means R2: the platform's own AWS_* stand in the environment of every function.
        let r2 = environment.get("S3_ENDPOINT").is_none() && environment.get("CLOUDFLARE_R2_ACCOUNT_ID").is_some();
        let needed = |name: &str, of_r2: &str| {
            let (first, second) = if r2 { (of_r2, name) } else { (name, of_r2) };
            let found = environment.get(first).or_else(|| environment.get(second)).map(str::to_owned);
            found.ok_or_else(|| Error::new(name, "is not set.", format!("Set it, or {of_r2} for R2.")))
        };
        let url = |name: &str, text: &str| {
            Url::parse(text).map_err(|_| Error::new(name, "is not a URL.", "Write https://host."))
        };
        let endpoint = match (environment.get("S3_ENDPOINT"), environment.get("CLOUDFLARE_R2_ACCOUNT_ID")) {
            (Some(endpoint), _) => Some(url("S3_ENDPOINT", endpoint)?),
            (None, Some(account)) => {
                Some(url("CLOUDFLARE_R2_ACCOUNT_ID", &format!("https://{account}.r2.cloudflarestorage.com"))?)
            }
            (None, None) => None,
        };
        let public = environment.get("S3_PUBLIC_ENDPOINT").map(|text| url("S3_PUBLIC_ENDPOINT", text)).transpose()?;
        let own_key = r2 && environment.get("CLOUDFLARE_R2_ACCESS_KEY_ID").is_some();
        let region = environment.get("S3_REGION").or_else(|| environment.get("AWS_REGION").filter(|_| !r2));
        Ok(Bucket {
            name: needed("S3_BUCKET", "CLOUDFLARE_R2_BUCKET_NAME")?,
            region: region.unwrap_or("auto").to_owned(),
            endpoint,
            public_endpoint: public,
            access_key: needed("AWS_ACCESS_KEY_ID", "CLOUDFLARE_R2_ACCESS_KEY_ID")?,
            secret_key: match own_key {
                true => environment
                    .required("CLOUDFLARE_R2_SECRET_ACCESS_KEY", "Copy it from where its id is from.")?
                    .into(),
                false => needed("AWS_SECRET_ACCESS_KEY", "CLOUDFLARE_R2_SECRET_ACCESS_KEY")?.into(),
            },
            session_token: environment.get("AWS_SESSION_TOKEN").filter(|_| !own_key).map(SecretString::from),
        })
    }
}

/// What ingestion needs besides database and bucket.
#[derive(Clone, Debug)]
pub struct Ingest {
    /// `INGEST_SECRET`: signs what the R2 queue worker posts. Absent: the webhook refuses everything.
    pub secret: Option<SecretString>,
    /// `CRON_SECRET`: what the platform's scheduler sends as a bearer token.
    pub cron_secret: Option<SecretString>,
    /// `INGEST_LEASE_SECONDS`: after how long a silent worker counts as dead. Below a minute, so that what it left is
    /// taken up and settled within one.
    pub lease_seconds: i32,
    /// `PARSE_SECONDS`: how long one document may be read for.
    pub parse_seconds: u64,
    /// `PARSER_MEMORY_BYTES`: what the process that reads one document may hold.
    pub parser_memory_bytes: u64,
    /// `INGEST_BATCH_CHUNKS`: the most that are embedded and stored at once, whatever a provider takes. A chunk holds
    /// some 10 KB until it is stored, 20 KB with a vector of 1,536 dimensions.
    pub batch_chunks: usize,
}

/// What one request of the provider that takes most may hold.
pub const BATCH_CHUNKS: usize = 2048;

/// Within every platform's five minutes, with as much left for storing.
pub const PARSE_SECONDS: u64 = 120;
/// A document of the largest size that is held as a whole, several times over.
pub const PARSER_MEMORY_BYTES: u64 = 512 * 1024 * 1024;
/// Less than this does not start a process.
const LEAST_PARSER_MEMORY_BYTES: u64 = 16 * 1024 * 1024;

impl Ingest {
    pub fn read(environment: &Environment) -> Result<Ingest, Error> {
        let secret = |name: &str| match environment.get(name) {
            Some(value) if value.len() < 16 => {
                Err(Error::new(name, "is shorter than 16 characters.", "Use `openssl rand -hex 32`."))
            }
            other => Ok(other.map(SecretString::from)),
        };
        Ok(Ingest {
            secret: secret("INGEST_SECRET")?,
            cron_secret: secret("CRON_SECRET")?,
            lease_seconds: environment.number("INGEST_LEASE_SECONDS", 45)?.clamp(1, 3600),
            parse_seconds: environment.number("PARSE_SECONDS", PARSE_SECONDS)?.clamp(1, 3600),
            parser_memory_bytes: environment
                .number("PARSER_MEMORY_BYTES", PARSER_MEMORY_BYTES)?
                .max(LEAST_PARSER_MEMORY_BYTES),
            batch_chunks: environment.number("INGEST_BATCH_CHUNKS", BATCH_CHUNKS)?.clamp(1, BATCH_CHUNKS),
        })
    }
}

/// Limits that an operator may move.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `MAX_UPLOAD_BYTES`: the largest file of a format that has to be held as a whole (PDF, office files, HTML …).
    pub upload_bytes: u64,
    /// `MAX_STREAM_BYTES`: the largest file of a format that is read piece by piece (text, CSV, TSV, JSON Lines). Not
    /// set, it is `MAX_UPLOAD_BYTES` where that is: a limit on uploads is one on all of them.
    pub stream_bytes: u64,
    /// `ALLOW_LOOPBACK_PROVIDERS=1`: lets a provider's base URL point at this machine (local mode, Ollama).
    pub loopback_providers: bool,
    /// `PROVIDER_ORIGINS`: where tenants' base URLs may point besides the known providers' own addresses, as
    /// `https://host` separated by commas, or `*` for any public host. A key goes wherever its tenant says, so each
    /// origin is one more place that this server talks to on behalf of strangers.
    pub provider_origins: Origins,
    /// `EMBEDDING_MODEL`: what new collections are embedded with.
    pub embedding_model: String,
    /// `EMBEDDING_PACES`: how fast providers may be asked for documents' embeddings.
    pub embedding_paces: Paces,
    /// `AWS_LAMBDA_FUNCTION_NAME`, set by Lambda: its answers there are buffered, so that a stream of progress would
    /// only arrive when it has ended. (Chat has a door of its own, which streams.)
    pub buffered_progress: bool,
    /// How long answers may take.
    pub answers: Answers,
    /// How long the vector of a question is kept.
    pub question_cache: std::time::Duration,
}

/// The origins that the operator adds to those of the known providers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// In the form that `url` serialises an origin, so that comparing strings compares origins.
    Listed(Vec<String>),
    Any,
}

impl Origins {
    fn read(environment: &Environment) -> Result<Origins, Error> {
        const NAME: &str = "PROVIDER_ORIGINS";
        let Some(text) = environment.get(NAME) else { return Ok(Origins::Listed(Vec::new())) };
        if text == "*" {
            return Ok(Origins::Any);
        }
        let origin = |part: &str| {
            let refuse = |problem: &str| {
                Error::new(NAME, problem, "Write https://host, more of them with commas between, or `*`.")
            };
            let url = Url::parse(part.trim()).map_err(|_| refuse("holds something that is not a URL."))?;
            docent_llm::address::check(&url, false).map_err(|error| refuse(&error.to_string()))?;
            match url.path() == "/" && url.query().is_none() {
                true => Ok(url.origin().ascii_serialization()),
                false => Err(refuse("holds a URL with a path, and a path restricts nothing.")),
            }
        };
        text.split(',').map(origin).collect::<Result<_, _>>().map(Origins::Listed)
    }
}

/// What the parsers' own budget admits of one file.
const UPLOAD_BYTES: u64 = 50 * 1024 * 1024;
const STREAM_BYTES: u64 = 500 * 1024 * 1024;
/// Vercel gives a function half a gigabyte of temporary files, which hold the document and the text that was read of it.
const STREAM_BYTES_ON_VERCEL: u64 = 150 * 1024 * 1024;

impl Limits {
    pub fn read(environment: &Environment) -> Result<Limits, Error> {
        Profile::read(environment)?;
        let bytes = |name: &str, default: u64| match environment.number(name, default)? {
            0 => Err(Error::new(name, "admits no file.", "Give a number of bytes.")),
            bytes => Ok(bytes),
        };
        let upload_bytes = bytes("MAX_UPLOAD_BYTES", UPLOAD_BYTES)?;
        let on_platform = environment.get("VERCEL").map_or(STREAM_BYTES, |_| STREAM_BYTES_ON_VERCEL);
        let stream_default = environment.get("MAX_UPLOAD_BYTES").map_or(on_platform, |_| upload_bytes);
        Ok(Limits {
            upload_bytes,
            stream_bytes: bytes("MAX_STREAM_BYTES", stream_default)?,
            loopback_providers: environment.get("ALLOW_LOOPBACK_PROVIDERS") == Some("1"),
            provider_origins: Origins::read(environment)?,
            embedding_model: environment.get("EMBEDDING_MODEL").unwrap_or(docent_text::hash::MODEL).to_owned(),
            embedding_paces: Paces::read(environment)?,
            buffered_progress: environment.get("AWS_LAMBDA_FUNCTION_NAME").is_some(),
            answers: Answers::read(environment)?,
            question_cache: answers::question_cache(environment)?,
        })
    }
}

impl Limits {
    /// The largest file of this name and type. What it really is decides its content, when it is read.
    pub fn file_bytes(&self, filename: &str, content_type: Option<&str>) -> u64 {
        // A letter says nothing, so that the name and the type decide.
        match docent_text::detect(filename, content_type, b"x") {
            Ok(format) if format.streams() => self.stream_bytes,
            _ => self.upload_bytes,
        }
    }
}

/// What stands between the network and the rooms.
#[derive(Clone, Debug, Default)]
pub struct Front {
    /// `ALLOWED_ORIGINS`: pages of other origins that may call with their own token or session, e.g. a front end.
    pub allowed_origins: Vec<String>,
    /// `CLIENT_ADDRESS_HEADER`: where the proxy in front writes the client's address. On Vercel it is known
    /// (`x-vercel-forwarded-for`, which a client cannot set); elsewhere the connection's own address counts.
    pub address_header: Option<http::HeaderName>,
}

impl Front {
    pub fn read(environment: &Environment) -> Result<Front, Error> {
        let origins = environment.get("ALLOWED_ORIGINS").unwrap_or_default();
        let origins = origins.split([',', ' ']).map(str::trim).filter(|origin| !origin.is_empty());
        let allowed_origins = origins.map(|text| origin("ALLOWED_ORIGINS", text)).collect::<Result<_, _>>()?;
        let on_vercel = environment.get("VERCEL").map(|_| "x-vercel-forwarded-for");
        let name = environment.get("CLIENT_ADDRESS_HEADER").or(on_vercel);
        let address_header = name.map(|name| {
            http::HeaderName::try_from(name).map_err(|_| {
                Error::new("CLIENT_ADDRESS_HEADER", "is not a header's name.", "Write e.g. cf-connecting-ip.")
            })
        });
        Ok(Front { allowed_origins, address_header: address_header.transpose()? })
    }

    /// Exactly one of the operator's origins: no suffix, no other scheme, no other port.
    pub fn allows(&self, origin: &http::HeaderValue) -> bool {
        self.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
    }
}

/// An origin as browsers write it: scheme, host, and port where it is not the usual one (RFC 6454 §6.2).
pub fn origin(variable: &str, text: &str) -> Result<String, Error> {
    let parsed = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let written = parsed.map(|url| url.origin().ascii_serialization());
    // A star would look as if it matched many; nothing here does.
    let written = written.filter(|origin| origin == text && !text.contains('*'));
    written.ok_or_else(|| {
        Error::new(
            variable,
            format!("holds `{text}`, which is no origin."),
            "Write https://host, without a path or a slash at the end.",
        )
    })
}

/// `TENANT_PROVISIONING=1`: an organisation, or a person without one, becomes a tenant on first sight.
pub fn newcomers(environment: &Environment) -> Result<bool, Error> {
    match environment.get("TENANT_PROVISIONING") {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(_) => Err(Error::new(
            "TENANT_PROVISIONING",
            "is neither 0 nor 1.",
            "Write 1 to make tenants of people who are new here.",
        )),
    }
}

/// `DOCENT_ENV` (else `VERCEL_ENV`): what limits start from. Absent, the strictest holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Development,
    Staging,
    Production,
}

impl Profile {
    pub fn read(environment: &Environment) -> Result<Profile, Error> {
        let name = if environment.get("DOCENT_ENV").is_some() { "DOCENT_ENV" } else { "VERCEL_ENV" };
        match environment.get(name) {
            None | Some("production") => Ok(Profile::Production),
            Some("staging" | "preview") => Ok(Profile::Staging),
            Some("development") => Ok(Profile::Development),
            Some(_) => Err(Error::new(name, "names no environment.", "Set it to development, staging or production.")),
        }
    }

    /// Requests of one token in a minute unless `RATE_LIMIT_PER_MINUTE` says otherwise.
    fn rate(self) -> u32 {
        match self {
            Profile::Development => 1000,
            Profile::Staging => 100,
            Profile::Production => 60,
        }
    }
}

/// A tenant's own limit is that of this many tokens.
const TOKENS_OF_A_TENANT: u32 = 20;
/// What a person who types can use up in a minute.
const VISITOR_RATE: u32 = 20;

impl Rates {
    /// `RATE_LIMIT_PER_MINUTE` for a token, and those for a tenant, a visitor and an address, which follow from it.
    pub fn read(environment: &Environment) -> Result<Rates, Error> {
        let rate = |variable: &str, name, default: u32| match environment.number(variable, default)? {
            limit @ 1..=Policy::MOST => Ok(Policy::per_minute(name, limit)),
            _ => Err(Error::new(variable, "is not a rate.", format!("Give 1 to {} requests a minute.", Policy::MOST))),
        };
        let profile = Profile::read(environment)?;
        let token = rate("RATE_LIMIT_PER_MINUTE", "token", profile.rate())?;
        let visitor = match profile {
            Profile::Production => token.limit.min(VISITOR_RATE),
            Profile::Development | Profile::Staging => token.limit,
        };
        let tenant = token.limit.saturating_mul(TOKENS_OF_A_TENANT).min(Policy::MOST);
        Ok(Rates {
            token,
            tenant: rate("RATE_LIMIT_TENANT_PER_MINUTE", "tenant", tenant)?,
            visitor: rate("RATE_LIMIT_VISITOR_PER_MINUTE", "visitor", visitor)?,
            address: rate("RATE_LIMIT_ADDRESS_PER_MINUTE", "address", token.limit)?,
        })
    }
}

/// A Redis that counts instead of Postgres, through its REST interface.
#[derive(Clone, Debug)]
pub struct Redis {
    /// `UPSTASH_REDIS_REST_URL` (or `KV_REST_API_URL`). Absent: Postgres counts.
    pub url: Url,
    /// `UPSTASH_REDIS_REST_TOKEN` (or `KV_REST_API_TOKEN`): one that may write.
    pub token: SecretString,
}

impl Redis {
    pub fn read(environment: &Environment) -> Result<Option<Redis>, Error> {
        let names = [("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"), ("KV_REST_API_URL", "KV_REST_API_TOKEN")];
        for (url_name, token_name) in names {
            let together = |name| Error::new(name, "is not set.", format!("Set {url_name} and {token_name}, or none."));
            let (url, token) = match (environment.get(url_name), environment.get(token_name)) {
                (None, None) => continue,
                (Some(url), Some(token)) => (url, token),
                (None, Some(_)) => return Err(together(url_name)),
                (Some(_), None) => return Err(together(token_name)),
            };
            let url = Url::parse(url).ok().filter(|url| url.has_host() && ["https", "http"].contains(&url.scheme()));
            let url = url.ok_or_else(|| Error::new(url_name, "is not a URL.", "Write https://host."))?;
            return Ok(Some(Redis { url, token: token.into() }));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
