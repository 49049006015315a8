//! A server of the operator's own, such as a store of vectors: it may stand in a private network and speak plain http,
//! because nobody but the operator can name it. No tenant's address ever comes here.

use std::fmt;

use super::*;
use crate::SecretString;
use crate::dialect::join;

/// One server that speaks JSON. Cheap to clone; nothing is built before the first call.
#[derive(Clone)]
pub struct Inside {
    server: Arc<Server>,
}

struct Server {
    base: crate::Url,
    /// Name and value of the header that lets us in.
    key: Option<(&'static str, SecretString)>,
    limits: Limits,
    client: OnceLock<Client>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Put,
    Post,
}

/// One request below the server's address.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub verb: Verb,
    pub path: &'a [&'a str],
    /// For example `wait=true`.
    pub query: Option<&'a str>,
    /// From connecting until the last byte.
    pub within: Duration,
    /// Bytes that are read of the answer.
    pub largest: usize,
}

/// What it said, whether it agreed or not.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Inside {
    pub fn new(base: crate::Url, key: Option<(&'static str, SecretString)>) -> Inside {
        Inside { server: Arc::new(Server { base, key, limits: Limits::default(), client: OnceLock::new() }) }
    }

    /// Asks, with a JSON body unless it is a GET. An error means that there was no whole answer in time.
    pub async fn ask(&self, ask: Ask<'_>, body: Option<Vec<u8>>) -> Result<Answer, Error> {
        let deadline = Instant::now() + ask.within;
        let request = self.request(&ask, body)?;
        let response = timeout_at(deadline, private(&self.server.client, &self.server.limits)?.execute(request))
            .await
            .map_err(|_| Error::from(ErrorKind::Timeout))?
            .map_err(|error| {
                Error::from(if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unavailable })
            })?;
        let status = response.status().as_u16();
        let body = Body { response, idle: self.server.limits.idle, deadline, left: ask.largest };
        Ok(Answer { status, body: body.read_to_end().await? })
    }

    fn request(&self, ask: &Ask<'_>, body: Option<Vec<u8>>) -> Result<Request, Error> {
        let mut url = join(&self.server.base, ask.path)?;
        url.set_query(ask.query);
        let secret = self.server.key.clone();
        // A provider is only ever asked by GET and POST.
        let mut request = request(Call { url, secret, header: None, body, named: |_| None }, JSON)?;
        *request.method_mut() = match ask.verb {
            Verb::Get => Method::GET,
            Verb::Put => Method::PUT,
            Verb::Post => Method::POST,
        };
        Ok(request)
    }
}

/// A client for an address that only the operator can name.
pub(super) fn private<'c>(client: &'c OnceLock<Client>, limits: &Limits) -> Result<&'c Client, Error> {
    if let Some(client) = client.get() {
        return Ok(client);
    }
    let built = builder(limits).and_then(|builder| Ok(builder.build()?));
    let built = built.map_err(|_| Error::new(ErrorKind::Unavailable, "The HTTP client cannot be built."))?;
    Ok(client.get_or_init(|| built))
}

// The address may hold a password, and so does the key.
impl fmt::Debug for Inside {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Inside({})", self.server.base.origin().ascii_serialization())
    }
}
