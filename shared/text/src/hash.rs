//! An embedder without a model: words hashed into a vector. Lexical, not semantic; deterministic on every machine.

use crate::language::is_small_word;
use crate::terms::terms;

pub const MODEL: &str = "hash-384";
pub const DIMENSIONS: usize = 384;

/// Pairs of neighbours count less than words: they repeat what the words say already.
const PAIR_WEIGHT: f32 = 0.5;

/// Embeds a text as a unit vector. Texts without any word share one fixed vector, since zero has no direction.
pub fn embed(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0f32; DIMENSIONS];
    let terms: Vec<String> = terms(text).into_iter().filter(|term| !is_small_word(term)).collect();
    for (feature, count) in count_features(&terms) {
        // A repeated word says more, but ever less.
        let weight = if feature.contains(' ') { PAIR_WEIGHT } else { 1.0 } * (1.0 + (count as f32).ln());
        let hash = fnv1a(feature.as_bytes());
        let slot = (hash % DIMENSIONS as u64) as usize;
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        if let Some(value) = vector.get_mut(slot) {
            *value += sign * weight;
        }
    }
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if norm > f32::EPSILON {
        vector.iter_mut().for_each(|value| *value /= norm);
    } else if let Some(first) = vector.first_mut() {
        *first = 1.0;
    }
    vector
}

fn count_features(terms: &[String]) -> std::collections::BTreeMap<String, u32> {
    let mut features = std::collections::BTreeMap::new();
    for term in terms {
        *features.entry(term.clone()).or_insert(0) += 1;
    }
    for pair in terms.windows(2) {
        *features.entry(pair.join(" ")).or_insert(0) += 1;
    }
    features
}

/// FNV-1a with a final mix, since its high bits alone are poor. Stored vectors depend on it: never change it.
fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for &byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}
