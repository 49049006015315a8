//! The forward pass: six transformer layers, the mean over all tokens, length one.
//!
//! The products go through `ndarray`, whose safe views lead to `matrixmultiply`'s kernels; this crate forbids `unsafe`.
use super::safetensors::Weights;
use super::wordpiece::MOST_TOKENS;
use super::{DIMENSIONS, Error, math};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, Axis, Slice};

const LAYERS: usize = 6;
const HEADS: usize = 12;
const HEAD: usize = DIMENSIONS / HEADS;
const INNER: usize = 4 * DIMENSIONS;
const WORDS: usize = 30_522;
const POSITIONS: usize = 512;
const COLUMNS: Axis = Axis(1);

pub(super) struct Encoder {
    words: Vec<f32>,
    /// The learned vector of each position, with that of the only sentence kind we use already added.
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

struct Layer {
    /// Query, key and value side by side: one large product is faster than three.
    attention: Linear,
    output: Linear,
    output_norm: Norm,
    inner: Linear,
    outer: Linear,
    outer_norm: Norm,
}

struct Linear {
    weight: Array2<f32>,
    bias: Vec<f32>,
}

struct Norm {
    gains_and_shifts: Vec<(f32, f32)>,
}

impl Encoder {
    pub(super) fn new(weights: Weights) -> Result<Self, Error> {
        let mut positions = weights.floats("embeddings.position_embeddings.weight", &[POSITIONS, DIMENSIONS])?;
        positions.truncate(MOST_TOKENS * DIMENSIONS);
        let kinds = weights.floats("embeddings.token_type_embeddings.weight", &[2, DIMENSIONS])?;
        for row in positions.chunks_exact_mut(DIMENSIONS) {
            add(row, &kinds);
        }
        Ok(Self {
            words: weights.floats("embeddings.word_embeddings.weight", &[WORDS, DIMENSIONS])?,
            positions,
            norm: Norm::new(&weights, "embeddings.LayerNorm")?,
            layers: (0..LAYERS).map(|layer| Layer::new(&weights, layer)).collect::<Result<_, _>>()?,
        })
    }

    /// A unit vector. Numbers beyond the vocabulary count as nothing.
    pub(super) fn encode(&self, tokens: &[u32]) -> Vec<f32> {
        let mut state = Array2::zeros((tokens.len(), DIMENSIONS));
        let places = self.positions.chunks_exact(DIMENSIONS);
        for ((row, place), token) in cells(&mut state).chunks_exact_mut(DIMENSIONS).zip(places).zip(tokens) {
            row.copy_from_slice(place);
            let start = *token as usize * DIMENSIONS;
            add(row, self.words.get(start..start + DIMENSIONS).unwrap_or_default());
        }
        self.norm.apply(&mut state);
        for layer in &self.layers {
            layer.apply(&mut state);
        }
        let mut mean = vec![0.0; DIMENSIONS];
        for row in cells(&mut state).chunks_exact(DIMENSIONS) {
            add(&mut mean, row);
        }
        // The sum points where the mean points, and only the direction is kept.
        math::normalise(&mut mean);
        mean
    }
}

impl Layer {
    fn new(weights: &Weights, layer: usize) -> Result<Self, Error> {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        let square = |part: &str| Linear::new(weights, &name(part), DIMENSIONS, DIMENSIONS);
        let parts = [square("attention.self.query")?, square("attention.self.key")?, square("attention.self.value")?];
        Ok(Self {
            attention: Linear::stack(parts)?,
            output: square("attention.output.dense")?,
            output_norm: Norm::new(weights, &name("attention.output.LayerNorm"))?,
            inner: Linear::new(weights, &name("intermediate.dense"), INNER, DIMENSIONS)?,
            outer: Linear::new(weights, &name("output.dense"), DIMENSIONS, INNER)?,
            outer_norm: Norm::new(weights, &name("output.LayerNorm"))?,
        })
    }

    fn apply(&self, state: &mut Array2<f32>) {
        let context = attend(&self.attention.of(state));
        self.output.add_to(&context, state);
        self.output_norm.apply(state);
        let mut inner = self.inner.of(state);
        math::gelu(cells(&mut inner));
        self.outer.add_to(&inner, state);
        self.outer_norm.apply(state);
    }
}

/// Every token looks at every other, in twelve independent ways.
fn attend(mixed: &Array2<f32>) -> Array2<f32> {
    let length = mixed.nrows();
    let mut context = Array2::zeros((length, DIMENSIONS));
    let mut scores = Array2::zeros((length, length));
    for start in (0..DIMENSIONS).step_by(HEAD) {
        let part = |which: usize| {
            let first = which * DIMENSIONS + start;
            mixed.slice_axis(COLUMNS, Slice::from(first..first + HEAD))
        };
        general_mat_mul((HEAD as f32).sqrt().recip(), &part(0), &part(1).t(), 0.0, &mut scores);
        math::softmax(cells(&mut scores), length);
        let mut target = context.slice_axis_mut(COLUMNS, Slice::from(start..start + HEAD));
        general_mat_mul(1.0, &scores, &part(2), 0.0, &mut target);
    }
    context
}

impl Linear {
    fn new(weights: &Weights, name: &str, outputs: usize, inputs: usize) -> Result<Self, Error> {
        let weight = weights.floats(&format!("{name}.weight"), &[outputs, inputs])?;
        Self::from_cells(weight, weights.floats(&format!("{name}.bias"), &[outputs])?)
    }

    fn stack(parts: [Self; 3]) -> Result<Self, Error> {
        let weight = parts.iter().flat_map(|part| part.weight.iter().copied()).collect();
        Self::from_cells(weight, parts.into_iter().flat_map(|part| part.bias).collect())
    }

    fn from_cells(weight: Vec<f32>, bias: Vec<f32>) -> Result<Self, Error> {
        let shape = (bias.len(), weight.len() / bias.len().max(1));
        let weight = Array2::from_shape_vec(shape, weight).map_err(|error| Error::Malformed(error.to_string()))?;
        Ok(Self { weight, bias })
    }

    fn of(&self, input: &Array2<f32>) -> Array2<f32> {
        let mut output = Array2::zeros((input.nrows(), self.bias.len()));
        for row in cells(&mut output).chunks_exact_mut(self.bias.len()) {
            row.copy_from_slice(&self.bias);
        }
        general_mat_mul(1.0, input, &self.weight.t(), 1.0, &mut output);
        output
    }

    fn add_to(&self, input: &Array2<f32>, output: &mut Array2<f32>) {
        for row in cells(output).chunks_exact_mut(self.bias.len()) {
            add(row, &self.bias);
        }
        general_mat_mul(1.0, input, &self.weight.t(), 1.0, output);
    }
}

impl Norm {
    fn new(weights: &Weights, name: &str) -> Result<Self, Error> {
        let floats = |part: &str| weights.floats(&format!("{name}.{part}"), &[DIMENSIONS]);
        Ok(Self { gains_and_shifts: floats("weight")?.into_iter().zip(floats("bias")?).collect() })
    }

    fn apply(&self, state: &mut Array2<f32>) {
        math::layer_norm(cells(state), &self.gains_and_shifts);
    }
}

/// Every matrix here was made whole, so its cells are one slice, row after row.
fn cells(matrix: &mut Array2<f32>) -> &mut [f32] {
    matrix.as_slice_mut().unwrap_or_default()
}

fn add(row: &mut [f32], other: &[f32]) {
    for (cell, other) in row.iter_mut().zip(other) {
        *cell += other;
    }
}
