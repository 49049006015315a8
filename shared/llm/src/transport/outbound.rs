//! Addresses of no provider: a page that a tenant names to be read, and an endpoint that it names to be told. Both under
//! the walls of every other call; what they answer is never shown to anybody.

use std::fmt;

use super::header::{ETAG, IF_NONE_MATCH, LOCATION};
use super::*;

/// Redirects that are followed, each checked like the first address.
pub const MAX_REDIRECTS: usize = 5;
/// From connecting to a page until its last byte, redirects included.
pub const DOWNLOAD_TOTAL: Duration = Duration::from_secs(120);
/// From connecting to an endpoint until its answer's head.
pub const NOTIFY_TOTAL: Duration = Duration::from_secs(10);

/// A page to read.
#[derive(Clone)]
pub struct Download {
    pub url: crate::Url,
    /// What the origin called the bytes that are known: it need not send them again.
    pub etag: Option<String>,
    /// Bytes that are taken at most.
    pub largest: usize,
}

/// What came of it.
pub enum Downloaded {
    Bytes {
        bytes: Vec<u8>,
        content_type: Option<String>,
        etag: Option<String>,
    },
    /// The bytes are those that are known.
    Unchanged,
    /// It answered with this status instead.
    Refused(u16),
    /// More bytes than are taken.
    TooLarge,
}

/// One message to an endpoint.
#[derive(Clone)]
pub struct Notice {
    pub url: crate::Url,
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

impl Transport {
    /// Reads a page. The error says only why there was no answer; an answer that is no page is [`Downloaded::Refused`].
    pub async fn download(&self, download: &Download) -> Result<Downloaded, Error> {
        let deadline = Instant::now() + DOWNLOAD_TOTAL;
        let mut url = download.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = Request::new(Method::GET, url.clone());
            if let Some(etag) = download.etag.as_deref().and_then(|etag| HeaderValue::from_str(etag).ok()) {
                request.headers_mut().insert(IF_NONE_MATCH, etag);
            }
            let response = self.open(request, deadline).await?;
            match response.status() {
                StatusCode::OK => return self.read(response, download.largest, deadline).await,
                StatusCode::NOT_MODIFIED => return Ok(Downloaded::Unchanged),
                status if status.is_redirection() => url = self.redirected(&url, response.headers())?,
                status => return Ok(Downloaded::Refused(status.as_u16())),
            }
        }
        Err(Error::new(ErrorKind::Endpoint, "The address redirects too often."))
    }

    /// Tells an endpoint something; gives the status of its answer, whose body nobody reads.
    pub async fn notify(&self, notice: Notice) -> Result<u16, Error> {
        let mut request = Request::new(Method::POST, notice.url);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        for (name, value) in notice.headers {
            let value = HeaderValue::from_str(&value).map_err(|_| Error::from(ErrorKind::Rejected))?;
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        *request.body_mut() = Some(notice.body.into());
        Ok(self.open(request, Instant::now() + NOTIFY_TOTAL).await?.status().as_u16())
    }

    /// An answer whose head is beyond reproach, of an address that may be called.
    async fn open(&self, request: Request, deadline: Instant) -> Result<Response, Error> {
        let limits = &self.shared.limits;
        address::check(request.url(), limits.allow_loopback)?;
        let until = deadline.min(Instant::now() + limits.first_byte);
        let response = timeout_at(until, self.client()?.execute(request))
            .await
            .map_err(|_| Error::from(ErrorKind::Timeout))?
            .map_err(|error| {
                Error::from(if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unavailable })
            })?;
        let head: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if head > limits.head {
            return Err(Error::protocol("The head of the answer is too large."));
        }
        Ok(response)
    }

    async fn read(&self, response: Response, largest: usize, deadline: Instant) -> Result<Downloaded, Error> {
        let known = |name: HeaderName| text(response.headers(), name).map(str::to_owned);
        let (content_type, etag) = (known(CONTENT_TYPE), known(ETAG));
        if response.content_length().is_some_and(|length| length > largest as u64) {
            return Ok(Downloaded::TooLarge);
        }
        let mut body = Body { response, idle: self.shared.limits.idle, deadline, left: usize::MAX };
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await? {
            if bytes.len() + piece.len() > largest {
                return Ok(Downloaded::TooLarge);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Downloaded::Bytes { bytes, content_type, etag })
    }

    /// Nobody from outside leads into this machine, not even where it may be called by name.
    fn redirected(&self, from: &crate::Url, headers: &HeaderMap) -> Result<crate::Url, Error> {
        let broken = || Error::new(ErrorKind::Protocol, "The address redirects to nowhere.");
        let mut to = from.join(text(headers, LOCATION).ok_or_else(broken)?).map_err(|_| broken())?;
        // A fragment is the reader's business and is not sent.
        to.set_fragment(None);
        if address::is_local(&to) && !address::is_local(from) {
            return Err(Error::new(ErrorKind::Endpoint, "The address redirects into a private network."));
        }
        Ok(to)
    }
}

// Path and query may hold a secret, and so may what is sent.
impl fmt::Debug for Download {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Download({})", self.url.origin().ascii_serialization())
    }
}

impl fmt::Debug for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Notice({})", self.url.origin().ascii_serialization())
    }
}
