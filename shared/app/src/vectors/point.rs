//! What a vector is called outside of Postgres, so that the same vector written twice is one point. Pure.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// Vectors that may be compared: of one model and one width. A store keeps each set in a collection of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Set {
    pub model: String,
    pub dimensions: usize,
}

/// What the names of all our collections begin with.
pub(super) const PREFIX: &str = "docent_";

impl Set {
    pub fn new(model: &str, dimensions: usize) -> Set {
        Set { model: model.to_owned(), dimensions }
    }

    /// A model's own name may be longer than a path's segment, and hold a slash.
    pub fn collection(&self) -> String {
        let hash = Sha256::digest(format!("{}\0{}", self.dimensions, self.model));
        let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{PREFIX}{}_{hash}", self.dimensions)
    }
}

/// Which chunk of which revision of which document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub document: Uuid,
    pub revision: i32,
    pub ordinal: i32,
}

impl Place {
    /// The point's id, the same whenever and by whomever it is written (RFC 9562 §5.8).
    pub fn id(&self, tenant: Uuid, model: &str) -> Uuid {
        let mut hash = Sha256::new_with_prefix(tenant.as_bytes());
        hash.update(self.document.as_bytes());
        hash.update(self.revision.to_be_bytes());
        hash.update(self.ordinal.to_be_bytes());
        hash.update(model.as_bytes());
        let mut bytes = [0; 16];
        for (byte, hashed) in bytes.iter_mut().zip(hash.finalize()) {
            *byte = hashed;
        }
        Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// A vector at its place.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    pub place: Place,
    pub vector: &'a [f32],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_tell_everything_apart_and_stay_what_they_are() {
        let [one, other] = [1, 2].map(Uuid::from_u128);
        let place = Place { document: one, revision: 1, ordinal: 1 };
        let ids = [
            place.id(one, "m"),
            place.id(other, "m"),
            place.id(one, "n"),
            Place { document: other, ..place }.id(one, "m"),
            Place { revision: 2, ..place }.id(one, "m"),
            Place { ordinal: 2, ..place }.id(one, "m"),
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{at}");
            assert_eq!(id.get_version_num(), 8);
        }
        // What is stored was stored under these.
        assert_eq!(ids[0].to_string(), "bae976b5-aa64-8d2f-ae73-e866b2b8e4ae");
        assert_eq!(Set::new("hash-384", 384).collection(), "docent_384_8638971ba0958a65");
        let names =
            [Set::new("a/b", 3), Set::new("a/b", 4), Set::new(&"long/".repeat(100), 3)].map(|set| set.collection());
        for (at, name) in names.iter().enumerate() {
            assert!(!names[..at].contains(name) && name.len() < 64, "{name}");
            assert!(name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_'), "{name}");
        }
    }
}
