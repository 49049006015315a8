//! An embedder without a model: words hashed into a vector. Lexical, not semantic; deterministic on every machine.

use crate::analyzer::Analyzer;

pub const MODEL: &str = "hash-384";
pub const DIMENSIONS: usize = 384;

/// Pairs of neighbours count less than words: they repeat what the words say already.
const PAIR_WEIGHT: f32 = 0.5;

/// Embeds a text as a unit vector. Texts without any word share one fixed vector, since zero has no direction.
pub fn embed(text: &str) -> Vec<f32> {
    embed_with(&mut Analyzer::default(), text)
}

/// The same, for many texts: the analyzer remembers their words.
pub fn embed_with(analyzer: &mut Analyzer, text: &str) -> Vec<f32> {
    let mut vector = vec![0.0f32; DIMENSIONS];
    let mut features = features(analyzer, text);
    // In one order always: sums of floats depend on it.
    features.sort_unstable();
    for same in features.chunk_by(|left, right| left == right) {
        let Some(&(hash, weight)) = same.first() else { continue };
        // A repeated word says more, but ever less.
        let weight = weight.value() * (1.0 + (same.len() as f32).ln());
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

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Feature {
    Word,
    Pair,
}

impl Feature {
    fn value(self) -> f32 {
        match self {
            Feature::Word => 1.0,
            Feature::Pair => PAIR_WEIGHT,
        }
    }
}

/// The hash of each word and of each pair of neighbours, common words left out.
fn features(analyzer: &mut Analyzer, text: &str) -> Vec<(u64, Feature)> {
    let terms = analyzer.analyze(text);
    let telling: Vec<&[u8]> = terms.iter().filter(|(_, small)| !small).map(|(term, _)| term.as_bytes()).collect();
    let words = telling.iter().map(|word| (fnv1a(&[word]), Feature::Word));
    let pairs = telling.windows(2).map(|pair| (fnv1a(&[pair[0], b" ", pair[1]]), Feature::Pair));
    words.chain(pairs).collect()
}

/// FNV-1a with a final mix, since its high bits alone are poor. Stored vectors depend on it: never change it.
fn fnv1a(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for &byte in parts.iter().copied().flatten() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}
