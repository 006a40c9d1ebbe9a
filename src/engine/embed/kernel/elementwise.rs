//! Softmax, GELU and layer normalisation, written once and compiled for several instruction sets.
//!
//! The bodies are branch-free loops over lanes, which the compiler turns into vector code for
//! whatever instruction set the caller was compiled for; the dispatchers pick the widest one at run
//! time.
#![allow(unsafe_code)]

/// Partial sums kept side by side, so that a reduction needs no order of additions.
const LANES: usize = 16;

/// Defines a safe function that runs `$body` with the widest instructions of this processor.
macro_rules! dispatched {
    ($(#[$doc:meta])* $name:ident => $body:ident($($argument:ident: $kind:ty),*)) => {
        $(#[$doc])*
        pub(in super::super) fn $name($($argument: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
                fn avx512($($argument: $kind),*) {
                    $body($($argument),*);
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($argument: $kind),*) {
                    $body($($argument),*);
                }
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("fma")
                {
                    // SAFETY: the processor has every feature the function is compiled for.
                    return unsafe { avx512($($argument),*) };
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: as above.
                    return unsafe { avx2($($argument),*) };
                }
            }
            $body($($argument),*);
        }
    };
}

dispatched! {
    /// `x += y`, element by element.
    add => add_body(x: &mut [f32], y: &[f32])
}

dispatched! {
    /// Replaces each element by its exact (error function) GELU.
    gelu => gelu_body(x: &mut [f32])
}

dispatched! {
    /// Replaces each row by `softmax(scale * row)`.
    softmax_rows => softmax_body(x: &mut [f32], columns: usize, scale: f32)
}

dispatched! {
    /// Shifts and scales each row to mean 0 and variance 1, then applies gain and bias.
    normalize_rows => normalize_body(x: &mut [f32], gain: &[f32], bias: &[f32], epsilon: f32)
}

#[inline(always)]
fn add_body(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

#[inline(always)]
fn gelu_body(x: &mut [f32]) {
    for x in x {
        *x = 0.5 * *x * (1.0 + erf(*x * std::f32::consts::FRAC_1_SQRT_2));
    }
}

#[inline(always)]
fn softmax_body(x: &mut [f32], columns: usize, scale: f32) {
    for row in x.chunks_exact_mut(columns) {
        let largest = largest(row);
        for value in row.iter_mut() {
            *value = exp((*value - largest) * scale);
        }
        let inverse = 1.0 / sum(row, |value| value);
        for value in row.iter_mut() {
            *value *= inverse;
        }
    }
}

#[inline(always)]
fn normalize_body(x: &mut [f32], gain: &[f32], bias: &[f32], epsilon: f32) {
    let columns = gain.len();
    for row in x.chunks_exact_mut(columns) {
        let mean = sum(row, |value| value) / columns as f32;
        let variance = sum(row, |value| (value - mean) * (value - mean)) / columns as f32;
        let inverse = 1.0 / (variance + epsilon).sqrt();
        for ((value, gain), bias) in row.iter_mut().zip(gain).zip(bias) {
            *value = (*value - mean) * inverse * gain + bias;
        }
    }
}

#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            *lane = larger(*lane, value);
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| larger(a, b))
}

#[inline(always)]
fn sum(row: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            *lane += term(value);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|&value| term(value)).sum::<f32>()
}

/// `e^x`, relative error below 2e-7: Cephes `expf` without branches. Below -87 the result stays
/// e^-87.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let part = x - whole * 0.693_359_4 + whole * 2.121_944_4e-4;
    let mut series = 1.987_569_1e-4;
    for term in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        series = series * part + term;
    }
    let fraction = series * part * part + part + 1.0;
    fraction * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()))
}

/// The error function, absolute error below 5e-7: Abramowitz and Stegun, formula 7.1.26.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let size = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let mut series = 1.061_405_4;
    for term in [-1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        series = series * t + term;
    }
    (1.0 - series * t * exp(-size * size)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_follows_the_exact_function() {
        for step in -87_000..=88_000 {
            let x = step as f32 / 1_000.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2e-7, "exp({x}) is off by {error}");
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn gelu_follows_tabulated_values() {
        // 0.5 x (1 + erf(x / sqrt 2)), computed with 50 digits.
        let expected = [
            (-6.0, -5.919_525e-9),
            (-1.0, -0.158_655_25),
            (-0.1, -0.046_017_216),
            (0.0, 0.0),
            (0.5, 0.345_731_23),
            (2.0, 1.954_499_7),
            (6.0, 6.0),
        ];
        let mut values = expected.map(|(x, _)| x);
        gelu(&mut values);
        for ((x, exact), value) in expected.into_iter().zip(values) {
            assert!((value - exact).abs() < 2e-6, "gelu({x}) is {value}, not {exact}");
        }
    }

    #[test]
    fn softmax_rows_sum_to_one_at_any_width() {
        for columns in [1, 2, 15, 16, 17, 100] {
            let mut x: Vec<f32> = (0..3 * columns).map(|i| (i * 7 % 31) as f32 - 90.0).collect();
            softmax_rows(&mut x, columns, 0.5);
            for row in x.chunks(columns) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                assert!(row.iter().all(|&p| (0.0..=1.0).contains(&p)));
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_portable_result() {
        let x: Vec<f32> = (0..257).map(|i| (i as f32 - 128.0) / 16.0).collect();
        let (mut fast, mut portable) = (x.clone(), x.clone());
        gelu(&mut fast);
        gelu_body(&mut portable);
        assert_eq!(fast, portable);
        let (gain, bias) = (vec![1.5; 257], vec![0.25; 257]);
        let (mut fast, mut portable) = (x.clone(), x);
        normalize_rows(&mut fast, &gain, &bias, 1e-12);
        normalize_body(&mut portable, &gain, &bias, 1e-12);
        for (a, b) in fast.iter().zip(&portable) {
            assert!((a - b).abs() < 1e-6);
        }
    }
}
