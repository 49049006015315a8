//! The additional checksums of S3: which ones a request claims, computing them, and the composite ones of multipart.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::{ChecksumAlgorithm, ChecksumMode, ChecksumType};
use s3s::{S3Result, TrailingHeaders, s3_error};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64nvme, Self::Sha1, Self::Sha256];

    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub fn parse(name: &ChecksumAlgorithm) -> S3Result<Self> {
        let known = Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name.as_str()));
        known.ok_or_else(|| s3_error!(InvalidRequest, "The checksum algorithm {} is not supported.", name.as_str()))
    }

    fn header(self) -> String {
        format!("x-amz-checksum-{}", self.name().to_ascii_lowercase())
    }

    fn digest(self, bytes: &[u8]) -> String {
        let mut hasher = hasher([self]);
        hasher.update(bytes);
        Checksums::from(hasher.finalize()).sums.remove(&self).unwrap_or_default()
    }
}

/// Base64 checksums by algorithm, as they stand in headers and sidecars.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Checksums {
    pub sums: BTreeMap<Algorithm, String>,
    /// A checksum over the checksums of the parts, written `…-N`, instead of one over all bytes.
    pub composite: bool,
}

impl Checksums {
    pub fn get(&self, algorithm: Algorithm) -> Option<String> {
        self.sums.get(&algorithm).cloned()
    }

    pub fn kind(&self) -> Option<ChecksumType> {
        let kind = if self.composite { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT };
        (!self.sums.is_empty()).then(|| ChecksumType::from_static(kind))
    }

    /// What a read may show: only what was asked for, and never the whole object's checksum beside a part of it.
    pub fn shown(&self, mode: Option<&ChecksumMode>, whole: bool) -> Self {
        let asked = mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
        if asked && whole { self.clone() } else { Self::default() }
    }

    /// The checksum of checksums of a multipart upload.
    pub fn composite(algorithm: Algorithm, parts: &[Checksums]) -> S3Result<Self> {
        let mut raw = Vec::new();
        for part in parts {
            let sum = part.sums.get(&algorithm).and_then(|sum| STANDARD.decode(sum).ok());
            raw.extend(sum.ok_or_else(|| {
                s3_error!(InvalidPart, "The upload was created with {}, which a part lacks.", algorithm.name())
            })?);
        }
        let sum = format!("{}-{}", algorithm.digest(&raw), parts.len());
        Ok(Self { sums: BTreeMap::from([(algorithm, sum)]), composite: true })
    }

    /// Every checksum that was claimed must be the one that was computed.
    pub fn verify(&self, claimed: &Self) -> S3Result<()> {
        for (algorithm, claim) in &claimed.sums {
            if self.sums.get(algorithm) != Some(claim) {
                let name = algorithm.name();
                return Err(s3_error!(BadDigest, "The {name} you specified did not match the calculated checksum."));
            }
        }
        Ok(())
    }
}

impl From<s3s::dto::Checksum> for Checksums {
    fn from(computed: s3s::dto::Checksum) -> Self {
        claimed_in!(computed)
    }
}

/// What a request says about its own body, in headers now and in trailers once the body was read.
#[derive(Default)]
pub(super) struct Claims {
    pub md5: Option<String>,
    pub sums: Checksums,
    /// Algorithms to compute without a claim, because the request names them.
    pub wanted: BTreeSet<Algorithm>,
    pub trailers: Option<TrailingHeaders>,
}

impl Claims {
    pub fn hasher(&self) -> ChecksumHasher {
        hasher(self.sums.sums.keys().chain(&self.wanted).copied())
    }

    /// A trailer is announced in a header, so its algorithm is known before the first byte.
    pub fn announced(&mut self, headers: &HeaderMap) {
        let names = headers.get_all("x-amz-trailer").iter().filter_map(|value| value.to_str().ok());
        let names: Vec<&str> = names.flat_map(|value| value.split(',')).map(str::trim).collect();
        let announced = |algorithm: &Algorithm| names.iter().any(|name| name.eq_ignore_ascii_case(&algorithm.header()));
        self.wanted.extend(Algorithm::ALL.into_iter().filter(announced));
    }

    /// All that was claimed; call it when the body has ended.
    pub fn all(&self) -> Checksums {
        let mut claimed = self.sums.clone();
        let trailers = self.trailers.as_ref().and_then(|trailers| trailers.read(HeaderMap::clone)).unwrap_or_default();
        for algorithm in Algorithm::ALL {
            if let Some(sum) = trailers.get(algorithm.header()).and_then(|value| value.to_str().ok()) {
                claimed.sums.insert(algorithm, sum.to_owned());
            }
        }
        claimed
    }
}

fn hasher(algorithms: impl IntoIterator<Item = Algorithm>) -> ChecksumHasher {
    let mut hasher = ChecksumHasher::default();
    for algorithm in algorithms {
        match algorithm {
            Algorithm::Crc32 => hasher.crc32 = Some(Crc32::new()),
            Algorithm::Crc32c => hasher.crc32c = Some(Crc32c::new()),
            Algorithm::Crc64nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Algorithm::Sha1 => hasher.sha1 = Some(Sha1::new()),
            Algorithm::Sha256 => hasher.sha256 = Some(Sha256::new()),
        }
    }
    hasher
}

/// Reads the five checksum fields that many S3 types have and no trait covers.
macro_rules! claimed_in {
    ($from:expr) => {{
        use $crate::bucket::checksums::{Algorithm, Checksums};
        let fields = [
            (Algorithm::Crc32, $from.checksum_crc32.clone()),
            (Algorithm::Crc32c, $from.checksum_crc32c.clone()),
            (Algorithm::Crc64nvme, $from.checksum_crc64nvme.clone()),
            (Algorithm::Sha1, $from.checksum_sha1.clone()),
            (Algorithm::Sha256, $from.checksum_sha256.clone()),
        ];
        let sums = fields.into_iter().filter_map(|(algorithm, sum)| Some((algorithm, sum?))).collect();
        Checksums { sums, composite: false }
    }};
}
pub(super) use claimed_in;

/// Builds an S3 type from its own fields and the five checksum fields.
macro_rules! with_checksums {
    ($name:ident { $($field:ident: $value:expr),* $(,)? }, $checksums:expr) => {{
        use $crate::bucket::checksums::Algorithm;
        let checksums = &$checksums;
        s3s::dto::$name {
            $($field: $value,)*
            checksum_crc32: checksums.get(Algorithm::Crc32),
            checksum_crc32c: checksums.get(Algorithm::Crc32c),
            checksum_crc64nvme: checksums.get(Algorithm::Crc64nvme),
            checksum_sha1: checksums.get(Algorithm::Sha1),
            checksum_sha256: checksums.get(Algorithm::Sha256),
            ..Default::default()
        }
    }};
}
pub(super) use with_checksums;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_the_published_check_values() {
        for (algorithm, expected) in [
            (Algorithm::Crc32, "y/Q5Jg=="),
            (Algorithm::Crc32c, "4waSgw=="),
            (Algorithm::Crc64nvme, "rosUhgp5mIg="),
            (Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (Algorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ] {
            assert_eq!(algorithm.digest(b"123456789"), expected, "{}", algorithm.name());
        }
    }

    #[test]
    fn a_composite_needs_the_checksum_of_every_part() {
        let part = Checksums { sums: BTreeMap::from([(Algorithm::Crc32, "y/Q5Jg==".to_owned())]), composite: false };
        let whole = Checksums::composite(Algorithm::Crc32, &[part.clone(), part.clone()]).unwrap();
        assert!(whole.composite && whole.get(Algorithm::Crc32).unwrap().ends_with("==-2"));
        assert!(Checksums::composite(Algorithm::Sha256, &[part]).is_err());
    }
}
