//! Counts the multiplications of a network, with which its time on a box grows.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::cnn::Conv;

use crate::manifest::Work;

/// Multiplications of the convolutions of `model`, whose shapes are concrete.
pub(super) fn of(model: &TypedModel) -> Work {
    let mut work = Work::default();
    for node in model.nodes() {
        let Some(conv) = node.op_as::<Conv>() else { continue };
        let Some(shape) = node.outputs[0].fact.shape.as_concrete() else { continue };
        let taps: usize = conv.pool_spec.kernel_shape.iter().product();
        let inputs = conv.input_channels() / conv.group.max(1);
        let millions = shape.iter().product::<usize>() as f64 * (taps * inputs) as f64 / 1e6;
        match inputs {
            1 => work.depthwise += millions,
            _ => work.dense += millions,
        }
    }
    work
}
