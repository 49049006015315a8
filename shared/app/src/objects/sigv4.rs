//! AWS's signature, version 4, where no SDK signs: uploads in parts for somebody else, and the queue of `docent worker`.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signature is good for.
pub struct Scope<'a> {
    /// As [`time`] writes it.
    pub time: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

/// As `X-Amz-Date` has it.
pub fn time(now: Timestamp) -> String {
    now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

impl Scope<'_> {
    fn day(&self) -> &str {
        self.time.get(..8).unwrap_or(self.time)
    }

    /// As it follows the key's id in a credential.
    pub fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day(), self.region, self.service)
    }

    /// The signature of a canonical request, in hexadecimal.
    pub fn sign(&self, secret: &SecretString, canonical: &str) -> Result<String> {
        let (time, scope, digest) = (self.time, self.text(), sha256(canonical.as_bytes()));
        let mut key = mac(format!("AWS4{}", secret.expose_secret()).as_bytes(), self.day())?;
        for part in [self.region, self.service, "aws4_request"] {
            key = mac(&key, part)?;
        }
        Ok(hex(&mac(&key, &format!("{ALGORITHM}\n{time}\n{scope}\n{digest}"))?))
    }
}

fn mac(key: &[u8], text: &str) -> Result<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(Error::internal)?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of AWS's own documentation.
    #[test]
    fn a_documented_request_has_its_documented_signature() {
        let empty = sha256(b"");
        let canonical = format!(
            "GET\n/\nAction=ListUsers&Version=2010-05-08\n\
             content-type:application/x-www-form-urlencoded; charset=utf-8\nhost:iam.amazonaws.com\n\
             x-amz-date:20150830T123600Z\n\ncontent-type;host;x-amz-date\n{empty}"
        );
        let scope = Scope { time: &time("2015-08-30T12:36:00Z".parse().unwrap()), region: "us-east-1", service: "iam" };
        let secret = SecretString::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        assert_eq!(sha256(canonical.as_bytes()), "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
        assert_eq!(
            scope.sign(&secret, &canonical).unwrap(),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
        assert_eq!(scope.text(), "20150830/us-east-1/iam/aws4_request");
    }
}
