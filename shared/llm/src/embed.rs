//! What one request for embeddings may hold, and the checks that make its vectors safe to store.

use crate::Error;

/// What is asked of an embedding model.
#[derive(Clone, Copy, Debug)]
pub struct EmbedRequest<'r> {
    pub model: &'r str,
    pub inputs: &'r [String],
    pub input_type: InputType,
}

/// What a text is for. Many models give a question another vector than a passage that says the same; those that know
/// no difference are not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputType {
    /// Stored, to be found.
    Document,
    /// Asked, to find.
    Query,
}

/// What a provider takes of one model in one request, and how fast it lets a new account ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbedLimits {
    /// Inputs of one request.
    pub inputs: usize,
    /// Tokens of one input.
    pub input_tokens: usize,
    /// Tokens of one request, all inputs together.
    pub tokens: usize,
    /// None: as fast as it can.
    pub pace: Option<Pace>,
}

/// Requests and tokens in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub requests: u32,
    pub tokens: u32,
}

/// One of so many tokens of a limit is left free, because [`likely_tokens`] is off by about as much. A request that
/// is too large all the same is refused, costs nothing, and is sent again in halves.
pub const MARGIN: usize = 5;

impl EmbedLimits {
    /// How many of these inputs, from the first on, fill one request: at least one, if there is any. An input beyond the
    /// limits goes alone: the provider judges it.
    pub fn fill<'a>(&self, inputs: impl IntoIterator<Item = &'a str>) -> usize {
        // More than a minute's tokens at once would wait for ever.
        let most = self.pace.map_or(self.tokens, |pace| self.tokens.min(pace.tokens as usize));
        let (most, mut tokens) = (most - most / MARGIN, 0usize);
        let fits = |(at, input): &(usize, &str)| {
            tokens = tokens.saturating_add(likely_tokens(input));
            *at == 0 || (*at < self.inputs && tokens <= most)
        };
        inputs.into_iter().enumerate().take_while(fits).count()
    }

    /// Cuts the inputs into runs that are one request each.
    pub(crate) fn split(self, mut inputs: &[String]) -> Vec<&[String]> {
        let mut batches = Vec::new();
        while !inputs.is_empty() {
            let (batch, rest) = inputs.split_at(self.fill(inputs.iter().map(String::as_str)));
            batches.push(batch);
            inputs = rest;
        }
        batches
    }
}

/// Four ASCII characters, two of another alphabet or one ideograph each make a token, within about a fifth for prose.
pub fn likely_tokens(text: &str) -> usize {
    let quarters = |character: char| match character {
        '\0'..='\u{7F}' => 1,
        '\u{2E80}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{20000}'..='\u{3FFFF}' => 4,
        _ => 2,
    };
    text.chars().map(quarters).sum::<usize>().div_ceil(4)
}

/// Two bytes for a token is a high estimate (English has four, Chinese about three), for what must not be too small.
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

    const SMALL: EmbedLimits = EmbedLimits { inputs: 2, input_tokens: 9, tokens: 6, pace: None };

    #[test]
    fn batches_keep_the_order_and_both_limits() {
        let inputs: Vec<String> = [4, 4, 4, 80, 4, 16, 8].iter().map(|bytes| "x".repeat(*bytes)).collect();
        let batches = SMALL.split(&inputs);
        let sizes: Vec<usize> = batches.iter().map(|batch| batch.len()).collect();
        // 1+1 | 1 | 20 alone although too large | 1+4 | 2, of six tokens less a fifth
        assert_eq!(sizes, [2, 1, 1, 2, 1]);
        assert_eq!(batches.concat(), inputs);
        assert!(SMALL.split(&[]).is_empty());
    }

    #[test]
    fn a_batch_is_filled_to_the_limit_and_not_beyond() {
        let limits = EmbedLimits { inputs: 100, input_tokens: 50, tokens: 1000, pace: None };
        let fill = |limits: EmbedLimits, tokens: usize| limits.fill(vec!["x".repeat(4 * tokens).as_str(); 500]);
        // (tokens of each input, how many fill a request of 1,000 tokens less a fifth)
        for (tokens, expected) in [(1, 100), (8, 100), (9, 88), (400, 2), (401, 1), (5000, 1)] {
            assert_eq!(fill(limits, tokens), expected, "{tokens} tokens each");
        }
        let paced = EmbedLimits { pace: Some(Pace { requests: 1, tokens: 500 }), ..limits };
        assert_eq!(fill(paced, 10), 40, "what a minute admits");
        assert_eq!(limits.fill([]), 0);
    }

    #[test]
    fn tokens_are_estimated_by_script() {
        for (text, expected) in [("", 0), ("a", 1), ("four", 1), ("fives", 2), ("Grüße", 2), ("汉字", 2), ("привет", 3)]
        {
            assert_eq!(likely_tokens(text), expected, "{text}");
        }
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
