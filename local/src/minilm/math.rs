//! What the encoder needs beside matrix products, on plain slices.
//!
//! A debug build runs these loops as they are written, and with it most first answers on a laptop: hence plain `for` loops
//! over one slice, which cost 3 ns a cell there, where a fold or a zip costs 10.

/// The model's own constant; far below what `f32` can tell from zero, kept because it is part of the definition.
const EPSILON: f32 = 1e-12;

/// Scale each row to mean 0 and variance 1, then by the learned gain and shift of each column.
pub(super) fn layer_norm(cells: &mut [f32], gains_and_shifts: &[(f32, f32)]) {
    let width = gains_and_shifts.len();
    for row in cells.chunks_exact_mut(width) {
        let mut sum = 0.0;
        for cell in row.iter() {
            sum += *cell;
        }
        let mean = sum / width as f32;
        let mut squares = 0.0;
        for cell in row.iter_mut() {
            *cell -= mean;
            squares += *cell * *cell;
        }
        let scale = (squares / width as f32 + EPSILON).sqrt().recip();
        for (cell, (gain, shift)) in row.iter_mut().zip(gains_and_shifts) {
            *cell = *cell * scale * gain + shift;
        }
    }
}

/// Each row becomes a distribution.
pub(super) fn softmax(cells: &mut [f32], width: usize) {
    for row in cells.chunks_exact_mut(width) {
        let mut highest = f32::NEG_INFINITY;
        for cell in row.iter() {
            if *cell > highest {
                highest = *cell;
            }
        }
        let mut sum = 0.0;
        for cell in row.iter_mut() {
            *cell = (*cell - highest).exp();
            sum += *cell;
        }
        let scale = sum.recip();
        for cell in row {
            *cell *= scale;
        }
    }
}

/// `x / 2 * (1 + erf(x / √2))`, as the model was trained, not the usual approximation by a hyperbolic tangent.
pub(super) fn gelu(cells: &mut [f32]) {
    for cell in cells {
        let x = *cell * std::f32::consts::FRAC_1_SQRT_2;
        *cell *= 0.5 + 0.5 * if x < 0.0 { -erf(-x) } else { erf(x) };
    }
}

pub(super) fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|cell| cell * cell).sum::<f32>().sqrt().max(EPSILON);
    for cell in vector {
        *cell /= length;
    }
}

/// Abramowitz and Stegun 7.1.26 for x >= 0: wrong by at most 1.5e-7, which is what an `f32` resolves near one.
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let sum = t * (0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4))));
    1.0 - sum * (-x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f32, expected: f32) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    #[test]
    fn the_error_function_agrees_with_the_tables() {
        for (x, expected) in [(0.0, 0.0), (0.5, 0.520_499_9), (1.0, 0.842_700_8), (2.0, 0.995_322_3), (9.0, 1.0)] {
            near(erf(x), expected);
        }
    }

    #[test]
    fn gelu_keeps_the_positive_and_fades_the_negative() {
        let mut cells = [-3.0, -1.0, 0.0, 1.0, 3.0];
        gelu(&mut cells);
        for (found, expected) in cells.iter().zip([-0.004_049_7, -0.158_655_26, 0.0, 0.841_344_7, 2.995_950_3]) {
            near(*found, expected);
        }
    }

    #[test]
    fn rows_are_normalised_one_by_one() {
        let mut cells = [1.0, 3.0, -5.0, 5.0];
        layer_norm(&mut cells, &[(2.0, 0.5), (2.0, 0.5)]);
        for (found, expected) in cells.iter().zip([-1.5, 2.5, -1.5, 2.5]) {
            near(*found, expected);
        }
        let mut cells = [0.0, 3.0_f32.ln(), 500.0, 500.0];
        softmax(&mut cells, 2);
        for (found, expected) in cells.iter().zip([0.25, 0.75, 0.5, 0.5]) {
            near(*found, expected);
        }
    }
}
