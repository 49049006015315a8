//! The shape of a tenant's own index over the vectors of one model: `docent reindex` makes it, the search statement
//! must name it word for word, or the planner passes it by.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Up to so many chunks, reading them all costs less than an index would spare: recall is then 1 by construction.
/// Measured by `docent-bench search`.
pub const CROSSOVER: i64 = 5_000;

/// An index gives the nearest of the tenant's whole library, of which a filter takes away all but n of m: it is asked
/// when n² > `DISCARDED` · m. Reading n vectors costs about 3 µs each, a row of the index about 15 µs, of which there
/// are 200 and 50 · m / n.
const DISCARDED: i64 = 250;

/// pgvector indexes a `vector` up to the first, a `halfvec` up to the second (its README, "HNSW"). Wider vectors are
/// scanned exactly, and stored as they came either way.
const WIDEST_VECTOR: usize = 2_000;
const WIDEST_HALFVEC: usize = 4_000;

/// The index of one model's vectors with so many dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    dimensions: usize,
}

impl Shape {
    pub fn new(dimensions: usize) -> Shape {
        Shape { dimensions }
    }

    /// Whether pgvector can index it at all.
    pub fn indexable(self) -> bool {
        (1..=WIDEST_HALFVEC).contains(&self.dimensions)
    }

    /// What the index compares: the vectors themselves, or halves of their bits where they are too wide for it. The
    /// distances that readers see are always the vectors' own.
    fn compared(self) -> String {
        match self.dimensions {
            width @ 1..=WIDEST_VECTOR => format!("vector({width})"),
            width if self.indexable() => format!("halfvec({width})"),
            // A statement has to be planned for what has no index, too, and a width that is none would end it there.
            _ => "vector".to_owned(),
        }
    }

    /// Puts the shape into a statement; nothing of it comes from outside but a number.
    pub fn put_into(self, sql: &str) -> String {
        sql.replace("{dimensions}", &self.dimensions.to_string())
            .replace("{compared}", &self.compared())
            .replace("{crossover}", &CROSSOVER.to_string())
            .replace("{discarded}", &DISCARDED.to_string())
    }

    /// The operators that it is ordered by.
    pub(super) fn operators(self) -> &'static str {
        if self.dimensions <= WIDEST_VECTOR { "vector_cosine_ops" } else { "halfvec_cosine_ops" }
    }

    /// The name says which tenant, model and dimensions, so that whoever asks knows it without looking; a model's own
    /// name may be longer than a name in Postgres.
    pub fn index(self, tenant: Uuid, model: &str) -> String {
        let hash = Sha256::digest(format!("{}\0{model}", self.dimensions));
        let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{PREFIX}{}_{hash}", tenant.simple())
    }
}

/// What the names of all these indexes begin with.
pub(super) const PREFIX: &str = "dense_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_vectors_are_compared_by_halves_and_the_widest_not_at_all() {
        let text = "(case when vector_dims(vector) = {dimensions} then vector end)::{compared}";
        for (dimensions, expected, indexable) in [
            (384, "vector(384)", true),
            (2_000, "vector(2000)", true),
            (2_001, "halfvec(2001)", true),
            (4_000, "halfvec(4000)", true),
            (4_001, "vector", false),
            (0, "vector", false),
        ] {
            let shape = Shape::new(dimensions);
            let dims = format!("(case when vector_dims(vector) = {dimensions} then vector end)::{expected}");
            assert_eq!(shape.put_into(text), dims);
            assert_eq!(shape.indexable(), indexable, "{dimensions}");
        }
    }

    #[test]
    fn a_name_fits_and_tells_tenants_models_and_dimensions_apart() {
        let [one, other] = [1, 2].map(Uuid::from_u128);
        let names = [
            Shape::new(384).index(one, "m"),
            Shape::new(384).index(other, "m"),
            Shape::new(384).index(one, "n"),
            Shape::new(385).index(one, "m"),
            Shape::new(384).index(one, &"long/".repeat(100)),
        ];
        for (place, name) in names.iter().enumerate() {
            assert!(name.len() < 64, "{name}");
            assert!(!names[..place].contains(name), "{name}");
        }
    }
}
