//! Activations: functions that follow a convolution, element by element.

use std::f32::consts::{LN_2, LOG2_E};

use pulp::Simd;

/// A function of one value. Those with more than one step are written as their public networks have them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// `clamp(x, low, high)`: the identity, ReLU, ReLU6.
    Clamp {
        /// The least value.
        low: f32,
        /// The greatest value.
        high: f32,
    },
    /// `max(x, 0) + slope * min(x, 0)`.
    Leaky {
        /// Slope of the negative side.
        slope: f32,
    },
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x / (1 + exp(-x))`.
    Silu,
    /// `clamp(gain * x + offset, low, high) * scale`, times `x` if `times_x`: hard sigmoid and hard swish.
    Ramp {
        /// Slope within the clamp.
        gain: f32,
        /// Value at 0 within the clamp.
        offset: f32,
        /// The least value.
        low: f32,
        /// The greatest value.
        high: f32,
        /// Multiplied by the argument.
        times_x: bool,
        /// Factor of the whole.
        scale: f32,
    },
}

impl Activation {
    /// The identity.
    pub const NONE: Self = Self::Clamp { low: f32::NEG_INFINITY, high: f32::INFINITY };

    /// Bounds of a pure clamp.
    pub fn clamp(self) -> Option<(f32, f32)> {
        match self {
            Self::Clamp { low, high } => Some((low, high)),
            _ => None,
        }
    }

    /// Applies it to a whole vector.
    #[inline(always)]
    pub fn apply<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        match self {
            Self::Clamp { low, high } => {
                simd.min_f32s(simd.max_f32s(x, simd.splat_f32s(low)), simd.splat_f32s(high))
            }
            Self::Leaky { slope } => {
                let zero = simd.splat_f32s(0.0);
                let negative = simd.mul_f32s(simd.min_f32s(x, zero), simd.splat_f32s(slope));
                simd.add_f32s(simd.max_f32s(x, zero), negative)
            }
            Self::Sigmoid => simd.div_f32s(simd.splat_f32s(1.0), one_plus_exp_of_negative(simd, x)),
            Self::Silu => simd.div_f32s(x, one_plus_exp_of_negative(simd, x)),
            Self::Ramp { gain, offset, low, high, times_x, scale } => {
                let line = simd.mul_add_f32s(x, simd.splat_f32s(gain), simd.splat_f32s(offset));
                let ramp = simd.min_f32s(simd.max_f32s(line, simd.splat_f32s(low)), simd.splat_f32s(high));
                let ramp = simd.mul_f32s(ramp, simd.splat_f32s(scale));
                if times_x { simd.mul_f32s(ramp, x) } else { ramp }
            }
        }
    }
}

/// `1 + exp(-x)`: 2 to the power of a whole part, which goes into the exponent's bits, and of a rest within 0.5, by its
/// series to the sixth power (relative error below 2e-7).
#[inline(always)]
fn one_plus_exp_of_negative<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// 1.5 * 2^23: a number added to it is rounded to a whole one, which the sum's lowest bits hold.
    const ROUND: f32 = 12_582_912.0;
    const SERIES: [f32; 7] =
        [1.540_353e-4, 1.333_355_8e-3, 9.618_129e-3, 5.550_411e-2, 0.240_226_5, LN_2, 1.0];
    let bounded = simd.min_f32s(simd.max_f32s(x, simd.splat_f32s(-87.0)), simd.splat_f32s(87.0));
    let power = simd.mul_f32s(bounded, simd.splat_f32s(-LOG2_E));
    let whole = simd.add_f32s(power, simd.splat_f32s(ROUND));
    let rest = simd.sub_f32s(power, simd.sub_f32s(whole, simd.splat_f32s(ROUND)));
    let mut sum = simd.splat_f32s(SERIES[0]);
    for factor in &SERIES[1..] {
        sum = simd.mul_add_f32s(sum, rest, simd.splat_f32s(*factor));
    }
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(whole), simd.splat_u32s(23));
    let exp = simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(sum), exponent));
    simd.add_f32s(exp, simd.splat_f32s(1.0))
}
