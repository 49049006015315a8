//! A small sentence encoder whose weights lie inside the crate `pocket-encoder`: for machines that never see a package index.
//! Behind the feature `pocket`, because it compiles candle; `minilm` tells why it is not the default.
use docent_llm::{Error, ErrorKind, LocalModel};

pub const MODEL: &str = "pocket-minilm-l3-v2";
pub const DIMENSIONS: usize = 384;
/// The model sees 128 tokens; far more text than they can hold only meets the crate's limit of 64 KiB.
const SEEN_BYTES: usize = 16 << 10;
/// Blank text is an error to the crate, but a text like any other to us.
const BLANK: &str = ".";

pub struct Pocket(pocket_encoder::Encoder);

/// Expand the built-in weights; nothing is read from disk or network.
pub fn load() -> Result<Pocket, Error> {
    let failed = |_| Error::new(ErrorKind::Unavailable, "The built-in encoder could not be loaded.");
    pocket_encoder::Encoder::new().map(Pocket).map_err(failed)
}

impl LocalModel for Pocket {
    fn model(&self) -> &str {
        MODEL
    }

    fn dimensions(&self) -> usize {
        DIMENSIONS
    }

    fn label(&self) -> &str {
        "MiniLM L3, four bits (built in)"
    }

    fn embed(&self, inputs: &[String]) -> Result<Vec<Vec<f32>>, Error> {
        let failed = |_| Error::new(ErrorKind::Unavailable, "The built-in encoder refused a text.");
        // One by one, so that the crate's limits for a whole batch cannot be met.
        inputs.iter().map(|text| Ok(self.0.embed(&[seen(text)]).map_err(failed)?.concat())).collect()
    }
}

fn seen(text: &str) -> &str {
    let text = text.trim_start();
    let text = text.get(..text.floor_char_boundary(SEEN_BYTES)).unwrap_or(text);
    if text.is_empty() { BLANK } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_gets_a_unit_vector_of_its_own() {
        let model = load().unwrap();
        let inputs =
            ["A cat sits on the mat.", "A kitten rests on a rug.", "Revenue grew.", " \n", &"é".repeat(100_000)];
        let vectors = model.embed(&inputs.map(str::to_owned)).unwrap();
        let product = |one: usize, other: usize| -> f32 {
            let pairs = vectors.get(one).unwrap().iter().zip(vectors.get(other).unwrap());
            pairs.map(|(one, other)| one * other).sum()
        };
        assert_eq!(vectors.len(), inputs.len());
        for place in 0..inputs.len() {
            assert_eq!(vectors.get(place).unwrap().len(), DIMENSIONS);
            assert!((product(place, place) - 1.0).abs() < 1e-4);
        }
        assert!(product(0, 1) > product(0, 2) + 0.2);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(seen(" "), BLANK);
        assert_eq!(seen(&format!("a{}", "é".repeat(SEEN_BYTES))).len(), SEEN_BYTES - 1);
    }
}
