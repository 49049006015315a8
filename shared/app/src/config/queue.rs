//! Where `docent worker` hears of what happens in the bucket, besides the table of hints.

use secrecy::SecretString;
use url::Url;

use super::{Environment, Error};

const URL: &str = "INGEST_QUEUE_URL";
const TOKEN: &str = "INGEST_QUEUE_TOKEN";

/// A queue of the bucket's events that is asked for them.
#[derive(Clone, Debug)]
pub enum Queue {
    Sqs(Sqs),
    Pull(Pull),
}

/// Amazon's, or one that speaks its JSON protocol.
#[derive(Clone, Debug)]
pub struct Sqs {
    /// `INGEST_QUEUE_URL`: as SQS names the queue.
    pub url: Url,
    /// The one in the queue's address, else `AWS_REGION`, else `S3_REGION`.
    pub region: String,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    pub access_key: String,
    pub secret_key: SecretString,
    pub session_token: Option<SecretString>,
}

/// One of Cloudflare's that is pulled from.
#[derive(Clone, Debug)]
pub struct Pull {
    /// `INGEST_QUEUE_URL`: `https://api.cloudflare.com/client/v4/accounts/<account>/queues/<queue's id>`.
    pub url: Url,
    /// `INGEST_QUEUE_TOKEN`: may read and write queues, because who acknowledges writes.
    pub token: SecretString,
}

impl Queue {
    pub fn read(environment: &Environment) -> Result<Option<Queue>, Error> {
        let token = environment.get(TOKEN).map(SecretString::from);
        let Some(text) = environment.get(URL) else {
            return match token {
                None => Ok(None),
                Some(_) => Err(Error::new(URL, "is not set.", "Set it, or unset INGEST_QUEUE_TOKEN.")),
            };
        };
        let remedy = "Write https://sqs.<region>.amazonaws.com/<account>/<queue>, or \
                      https://api.cloudflare.com/client/v4/accounts/<account>/queues/<id>.";
        let wrong = |problem: &str| Error::new(URL, problem, remedy);
        let url = Url::parse(text).ok().filter(|url| url.has_host() && ["https", "http"].contains(&url.scheme()));
        let url = url.ok_or_else(|| wrong("is not a URL."))?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("holds more than an address."));
        }
        let path: Vec<&str> = url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let of_cloudflare = matches!(path.as_slice(), [.., "accounts", _, "queues", _]);
        match (of_cloudflare, token) {
            (true, Some(token)) => Ok(Some(Queue::Pull(Pull { url, token }))),
            (true, None) => Err(Error::new(TOKEN, "is not set.", "Give a token that may read and write queues.")),
            (false, Some(_)) => {
                Err(wrong("is not a queue of Cloudflare's, and INGEST_QUEUE_TOKEN is a token for one."))
            }
            (false, None) if path.is_empty() => Err(wrong("names no queue.")),
            (false, None) => Sqs::read(environment, url).map(|sqs| Some(Queue::Sqs(sqs))),
        }
    }
}

impl Sqs {
    fn read(environment: &Environment, url: Url) -> Result<Sqs, Error> {
        let key = |name: &str| environment.required(name, "The queue is asked with it.").map(str::to_owned);
        let parts: Vec<&str> = url.host_str().unwrap_or_default().split('.').collect();
        let named = match parts.as_slice() {
            ["sqs", region, "amazonaws", ..] => Some(*region),
            _ => environment.get("AWS_REGION").or_else(|| environment.get("S3_REGION")),
        };
        let region =
            named.ok_or_else(|| Error::new("AWS_REGION", "is not set.", "Name the queue's region."))?.to_owned();
        Ok(Sqs {
            region,
            access_key: key("AWS_ACCESS_KEY_ID")?,
            secret_key: key("AWS_SECRET_ACCESS_KEY")?.into(),
            session_token: environment.get("AWS_SESSION_TOKEN").map(SecretString::from),
            url,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQS: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/docent-ingest";
    const PULL: &str = "https://api.cloudflare.com/client/v4/accounts/a/queues/q";

    fn read(pairs: &[(&str, &str)]) -> Result<Option<Queue>, String> {
        let environment = Environment::default().with("AWS_ACCESS_KEY_ID", "k").with("AWS_SECRET_ACCESS_KEY", "s");
        let environment = pairs.iter().fold(environment, |all, (name, value)| all.with(name, *value));
        Queue::read(&environment).map_err(|error| error.variable)
    }

    #[test]
    fn an_address_says_whose_queue_it_is() {
        assert!(read(&[]).unwrap().is_none());
        assert!(matches!(read(&[(URL, SQS)]), Ok(Some(Queue::Sqs(Sqs { region, .. }))) if region == "eu-central-1"));
        let elsewhere = [(URL, "http://localhost:4566/000000000000/q"), ("AWS_REGION", "here")];
        assert!(matches!(read(&elsewhere), Ok(Some(Queue::Sqs(Sqs { region, .. }))) if region == "here"));
        assert!(matches!(read(&[(URL, PULL), (TOKEN, "t")]), Ok(Some(Queue::Pull(_)))));
    }

    #[test]
    fn what_contradicts_itself_names_the_variable() {
        for (pairs, variable) in [
            (&[(TOKEN, "t")][..], URL),
            (&[(URL, "queue")], URL),
            (&[(URL, "https://sqs.eu-central-1.amazonaws.com")], URL),
            (&[(URL, "https://u:p@sqs.eu-central-1.amazonaws.com/1/q")], URL),
            (&[(URL, PULL)], TOKEN),
            (&[(URL, SQS), (TOKEN, "t")], URL),
            (&[(URL, "http://localhost/1/q")], "AWS_REGION"),
            (&[(URL, SQS), ("AWS_ACCESS_KEY_ID", "")], "AWS_ACCESS_KEY_ID"),
        ] {
            assert_eq!(read(pairs).unwrap_err(), variable, "{pairs:?}");
        }
    }
}
