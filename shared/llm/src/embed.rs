//! Batches that a provider accepts, and the checks that make its vectors safe to store.

use crate::Error;

/// The most that one embeddings request may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) inputs: usize,
    pub(crate) tokens: usize,
}

impl Batch {
    /// Cuts the inputs into runs within the limits. An input beyond the limit goes alone: the provider judges it.
    pub(crate) fn split(self, inputs: &[String]) -> Vec<&[String]> {
        let (mut batches, mut start, mut tokens) = (Vec::new(), 0, 0);
        for (at, input) in inputs.iter().enumerate() {
            let estimate = estimate_tokens(input);
            if at > start && (at - start == self.inputs || tokens + estimate > self.tokens) {
                batches.push(&inputs[start..at]);
                (start, tokens) = (at, 0);
            }
            tokens += estimate;
        }
        if start < inputs.len() {
            batches.push(&inputs[start..]);
        }
        batches
    }
}

/// Two bytes for a token is a high estimate (English has four, Chinese about three): a batch that is too small
/// costs a round trip, one that is too large costs the whole request.
pub(crate) fn estimate_tokens(text: &str) -> usize {
    text.len().div_ceil(2)
}

/// Turns one batch's vectors into unit vectors. `dimensions` carries the width from batch to batch.
pub(crate) fn unit_vectors(
    vectors: &mut [Vec<f32>],
    expected: usize,
    dimensions: &mut Option<usize>,
) -> Result<(), Error> {
    if vectors.len() != expected {
        return Err(Error::protocol("The provider sent another number of vectors than inputs."));
    }
    for vector in vectors {
        if vector.is_empty() || *dimensions.get_or_insert(vector.len()) != vector.len() {
            return Err(Error::protocol("The provider's vectors differ in their dimensions."));
        }
        // In f64, because the squares of large f32 values overflow.
        let norm = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if !norm.is_finite() || norm == 0.0 {
            return Err(Error::protocol("A vector of the provider has no direction or no finite numbers."));
        }
        for value in vector {
            *value = (f64::from(*value) / norm) as f32;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_the_order_and_both_limits() {
        let inputs: Vec<String> = [2, 2, 2, 40, 2, 8, 4].iter().map(|bytes| "x".repeat(*bytes)).collect();
        let batches = Batch { inputs: 2, tokens: 5 }.split(&inputs);
        let sizes: Vec<usize> = batches.iter().map(|batch| batch.len()).collect();
        // 1+1 | 1 | 20 alone although too large | 1+4 | 2
        assert_eq!(sizes, [2, 1, 1, 2, 1]);
        assert_eq!(batches.concat(), inputs);
        assert!(Batch { inputs: 2, tokens: 5 }.split(&[]).is_empty());
    }

    #[test]
    fn vectors_are_checked_and_normalised() {
        let mut good = vec![vec![3.0, 4.0], vec![f32::MAX, 0.0]];
        unit_vectors(&mut good, 2, &mut None).unwrap();
        assert_eq!(good, [[0.6, 0.8], [1.0, 0.0]]);
        let bad: [(Vec<Vec<f32>>, usize); 6] = [
            (vec![vec![1.0]], 2),
            (vec![vec![1.0], vec![1.0, 2.0]], 2),
            (vec![vec![]], 1),
            (vec![vec![f32::NAN, 1.0]], 1),
            (vec![vec![f32::INFINITY, 1.0]], 1),
            (vec![vec![0.0, 0.0]], 1),
        ];
        for (mut vectors, expected) in bad {
            let error = unit_vectors(&mut vectors, expected, &mut None).unwrap_err();
            assert_eq!(error.code(), "provider_protocol", "{vectors:?}");
        }
        assert!(unit_vectors(&mut [vec![1.0]], 1, &mut Some(2)).is_err(), "another width than the batch before");
    }
}
