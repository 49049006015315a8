//! An address that the operator wants told about this process, such as a collector of traces: nobody else can name it,
//! so it may stand in a private network and speak plain http. What it answers is never shown to anybody.

use std::fmt;

use super::*;
use crate::SecretString;

/// From connecting until the answer's head. Whoever waits for it holds up an instance that would be frozen.
pub const REPORT_TOTAL: Duration = Duration::from_secs(2);

/// Where reports go. Cheap to clone; nothing is built before the first one.
#[derive(Clone)]
pub struct Reports {
    shared: Arc<Receiver>,
}

struct Receiver {
    url: crate::Url,
    headers: Vec<(String, SecretString)>,
    content_type: &'static str,
    limits: Limits,
    client: OnceLock<Client>,
}

impl Reports {
    pub fn new(url: crate::Url, headers: Vec<(String, SecretString)>, content_type: &'static str) -> Reports {
        let (limits, client) = (Limits::default(), OnceLock::new());
        Reports { shared: Arc::new(Receiver { url, headers, content_type, limits, client }) }
    }

    /// Posts one report; gives the status of its answer, whose body nobody reads.
    pub async fn send(&self, body: Vec<u8>) -> Result<u16, Error> {
        let Receiver { url, headers, content_type, limits, client } = &*self.shared;
        let mut request = Request::new(Method::POST, url.clone());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        for (name, secret) in headers {
            let name = HeaderName::try_from(name).map_err(|_| Error::from(ErrorKind::Rejected))?;
            let value = HeaderValue::from_str(secret.expose_secret());
            let mut value = value.map_err(|_| Error::from(ErrorKind::Rejected))?;
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
        *request.body_mut() = Some(body.into());
        let answered = timeout(REPORT_TOTAL, private(client, limits)?.execute(request)).await;
        let response = answered.map_err(|_| Error::from(ErrorKind::Timeout))?;
        Ok(response.map_err(|_| Error::from(ErrorKind::Unavailable))?.status().as_u16())
    }
}

// The address of some receivers holds a key.
impl fmt::Debug for Reports {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Reports({})", self.shared.url.origin().ascii_serialization())
    }
}
