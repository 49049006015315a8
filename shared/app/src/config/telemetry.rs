//! Whom this process tells about itself, under the names of variables that OpenTelemetry and Sentry have given them.

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::Url;

use super::{Environment, Error};

/// All of it is off unless somebody says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    pub traces: Option<Traces>,
    pub sentry: Option<Sentry>,
    /// `DOCENT_METRICS_LISTEN`: where a container answers `/metrics`. A listener of its own, because nobody outside is to
    /// see it.
    pub metrics: Option<String>,
    /// `AWS_LAMBDA_FUNCTION_NAME`, set by Lambda: metrics are lines there. Not where `VERCEL` is set, too, which runs
    /// functions on it and reads no metrics out of lines.
    pub function: Option<String>,
}

/// A collector of traces that speaks OTLP over HTTP.
#[derive(Clone, Debug)]
pub struct Traces {
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` as it is, or `OTEL_EXPORTER_OTLP_ENDPOINT` with `/v1/traces` behind it.
    pub url: Url,
    /// `OTEL_EXPORTER_OTLP_HEADERS`: `name=value` by commas, values percent-encoded.
    pub headers: Vec<(String, SecretString)>,
    /// `OTEL_RESOURCE_ATTRIBUTES` in the same form, and `OTEL_SERVICE_NAME` (else `docent`).
    pub resource: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub struct Sentry {
    /// Where envelopes go, by `SENTRY_DSN`.
    pub url: Url,
    pub auth: (String, SecretString),
    /// `SENTRY_ENVIRONMENT`, else `DOCENT_ENV`, else `VERCEL_ENV`.
    pub environment: Option<String>,
}

impl Telemetry {
    pub fn read(environment: &Environment) -> Result<Telemetry, Error> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(Telemetry {
            traces: Traces::read(environment)?,
            sentry: Sentry::read(environment)?,
            metrics: owned(environment.get("DOCENT_METRICS_LISTEN")),
            function: owned(
                environment.get("AWS_LAMBDA_FUNCTION_NAME").filter(|_| environment.get("VERCEL").is_none()),
            ),
        })
    }
}

impl Traces {
    fn read(environment: &Environment) -> Result<Option<Traces>, Error> {
        if environment.get("OTEL_SDK_DISABLED") == Some("true") {
            return Ok(None);
        }
        let url = match environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
            Some(text) => web("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", text)?,
            None => {
                let Some(text) = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT") else { return Ok(None) };
                let mut url = web("OTEL_EXPORTER_OTLP_ENDPOINT", text)?;
                url.set_path(&format!("{}/v1/traces", url.path().trim_end_matches('/')));
                url
            }
        };
        if environment.get("OTEL_EXPORTER_OTLP_PROTOCOL") == Some("grpc") {
            let remedy = "Unset it, and name the collector's port for HTTP, usually 4318.";
            return Err(Error::new("OTEL_EXPORTER_OTLP_PROTOCOL", "is grpc, which is not spoken here.", remedy));
        }
        let headers = pairs(environment, "OTEL_EXPORTER_OTLP_HEADERS")?;
        if let Some((name, _)) = headers.iter().find(|(name, value)| {
            http::HeaderName::try_from(name).is_err() || http::HeaderValue::try_from(value).is_err()
        }) {
            let problem = format!("holds `{name}`, which cannot be a header.");
            return Err(Error::new("OTEL_EXPORTER_OTLP_HEADERS", problem, "Write name=value, by commas."));
        }
        let headers = headers.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect();
        let mut resource = pairs(environment, "OTEL_RESOURCE_ATTRIBUTES")?;
        let named = environment.get("OTEL_SERVICE_NAME").map(str::to_owned);
        // The variable of its own wins (OpenTelemetry's specification of its environment variables).
        let given = resource.iter().position(|(key, _)| key == "service.name").map(|at| resource.swap_remove(at).1);
        let service = named.or(given).unwrap_or_else(|| "docent".to_owned());
        resource.extend([
            ("service.name".to_owned(), service),
            ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        Ok(Some(Traces { url, headers, resource }))
    }
}

impl Sentry {
    /// `https://key@host/project`, perhaps with a path before the project
    /// (<https://develop.sentry.dev/sdk/foundations/transport/authentication/>).
    fn read(environment: &Environment) -> Result<Option<Sentry>, Error> {
        let Some(text) = environment.get("SENTRY_DSN") else { return Ok(None) };
        let wrong = || Error::new("SENTRY_DSN", "is not a DSN.", "Copy it from Sentry: https://key@host/project.");
        let mut url = web("SENTRY_DSN", text).map_err(|_| wrong())?;
        let key = url.username().to_owned();
        let path = url.path().to_owned();
        let (before, project) = path.trim_end_matches('/').rsplit_once('/').ok_or_else(wrong)?;
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain(&key) || !plain(project) {
            return Err(wrong());
        }
        url.set_path(&format!("{before}/api/{project}/envelope/"));
        if url.set_username("").is_err() || url.set_password(None).is_err() {
            return Err(wrong());
        }
        let client = concat!("docent/", env!("CARGO_PKG_VERSION"));
        let auth = format!("Sentry sentry_version=7, sentry_client={client}, sentry_key={key}");
        let environment = environment
            .get("SENTRY_ENVIRONMENT")
            .or(environment.get("DOCENT_ENV"))
            .or(environment.get("VERCEL_ENV"))
            .map(str::to_owned);
        Ok(Some(Sentry { url, auth: ("x-sentry-auth".to_owned(), auth.into()), environment }))
    }
}

fn web(variable: &str, text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| Error::new(variable, "is not a URL.", "Write https://host, or http://127.0.0.1:4318."))
}

/// `key=value` by commas, percent-encoded as W3C Baggage is.
fn pairs(environment: &Environment, name: &str) -> Result<Vec<(String, String)>, Error> {
    let text = environment.get(name).unwrap_or_default();
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (key, value) = part.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?.into_owned();
        Some((key.trim().to_owned(), value)).filter(|(key, _)| !key.is_empty())
    };
    let pairs = parts.map(pair).collect::<Option<_>>();
    pairs.ok_or_else(|| Error::new(name, "is not a list.", "Write name=value, by commas; values percent-encoded."))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Telemetry, Error> {
        let environment = pairs.iter().fold(Environment::default(), |all, (name, value)| all.with(name, *value));
        Telemetry::read(&environment)
    }

    #[test]
    fn nothing_is_told_to_anybody_unless_somebody_says_so() {
        let none = read(&[]).unwrap();
        let vercel = [("AWS_LAMBDA_FUNCTION_NAME", "x"), ("VERCEL", "1")];
        assert!(read(&vercel).unwrap().function.is_none());
        assert_eq!(read(&vercel[..1]).unwrap().function.as_deref(), Some("x"));
        assert!(none.traces.is_none() && none.sentry.is_none() && none.metrics.is_none() && none.function.is_none());
        let disabled = [("OTEL_SDK_DISABLED", "true"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")];
        assert!(read(&disabled).unwrap().traces.is_none());
    }

    #[test]
    fn collectors_are_named_as_everywhere() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/otlp/");
        let traces = read(&[
            base,
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b, authorization=Basic c=="),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment.name=eu"),
            ("OTEL_SERVICE_NAME", "docent-eu"),
        ]);
        let traces = traces.unwrap().traces.unwrap();
        assert_eq!(traces.url.as_str(), "http://collector:4318/otlp/v1/traces");
        let headers: Vec<(&str, &str)> =
            traces.headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        assert_eq!(headers, [("x-key", "a b"), ("authorization", "Basic c==")]);
        assert!(traces.resource.contains(&("service.name".to_owned(), "docent-eu".to_owned())));
        assert!(traces.resource.contains(&("deployment.environment.name".to_owned(), "eu".to_owned())));
        assert!(!traces.resource.iter().any(|(_, value)| value == "other"));
        let own = read(&[base, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://other/x")]).unwrap().traces.unwrap();
        assert_eq!(own.url.as_str(), "https://other/x");
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "key"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a key=1"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "key=%0a"),
            ("OTEL_RESOURCE_ATTRIBUTES", "=1"),
        ] {
            assert_eq!(read(&[base, (name, value)]).unwrap_err().variable, name, "{value}");
        }
    }

    #[test]
    fn a_dsn_says_where_and_with_which_key() {
        let of = |dsn: &str| read(&[("SENTRY_DSN", dsn), ("DOCENT_ENV", "staging")]).map(|read| read.sentry.unwrap());
        let sentry = of("https://abc123@o1.ingest.sentry.io/42").unwrap();
        assert_eq!(sentry.url.as_str(), "https://o1.ingest.sentry.io/api/42/envelope/");
        assert!(sentry.auth.1.expose_secret().ends_with("sentry_key=abc123"));
        assert_eq!(sentry.environment.as_deref(), Some("staging"));
        let below = of("http://abc:old@127.0.0.1:9000/errors/7").unwrap();
        assert_eq!(below.url.as_str(), "http://127.0.0.1:9000/errors/api/7/envelope/");
        for bad in
            ["https://o1.ingest.sentry.io/42", "https://abc@host", "https://abc@host/", "abc", "https://a,b@host/1"]
        {
            assert_eq!(of(bad).unwrap_err().variable, "SENTRY_DSN", "{bad}");
        }
    }
}
