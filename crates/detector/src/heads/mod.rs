//! The last layer of each family of networks: output tensors into boxes. Pure arithmetic.
//!
//! A family is one file with a struct of its manifest's numbers that implements [`Decoder`], and one line in the list
//! below; its name in a manifest is the struct's in lower case.

mod distance;

use serde::Deserialize;

use super::manifest::Input;
use base::geometry::Rect;

/// One box of the network's output, before anything is suppressed or mapped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawDetection {
    /// Index into the network's own labels.
    pub class: u16,
    /// Score, 0..=1.
    pub score: f32,
    /// The box in the network's input pixels out of a decoder; in fractions of the picture out of a model.
    pub rect: Rect,
}

/// Reader of a family's output tensors.
pub trait Decoder {
    /// The output tensors' shapes for this input and number of labels, batch included, in the order in which
    /// [`Decoder::decode`] takes them.
    fn shapes(&self, input: &Input, labels: usize) -> Vec<Vec<usize>>;

    /// Evidence that `outputs` of a probe picture have another meaning than [`Decoder::decode`] reads, and the remedy. They
    /// have the right shapes.
    fn doubt(&self, outputs: &[&[f32]], input: &Input) -> Option<(String, String)> {
        let _ = (outputs, input);
        None
    }

    /// Appends every box with a score of at least `score_min`, in input pixels. `outputs` have [`Decoder::shapes`].
    fn decode(&self, outputs: &[&[f32]], input: &Input, score_min: f32, found: &mut Vec<RawDetection>);

    /// Input pixels per cell of the coarsest feature map: sizes of the input are multiples of it.
    fn stride_max(&self) -> usize {
        32
    }

    /// The first wrong number from the manifest: (key below `head`, problem).
    fn problem(&self) -> Option<(&'static str, String)>;
}

macro_rules! heads {
    ($($(#[$doc:meta])* $module:ident::$name:ident,)*) => {
        $(mod $module; pub use $module::$name;)*

        /// Reader of a network's output; `kind` in a manifest's `[head]`.
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(tag = "kind", rename_all = "lowercase")]
        pub enum Head {
            $($(#[$doc])* $name($name),)*
        }

        impl Head {
            /// The family's arithmetic.
            pub fn decoder(&self) -> &dyn Decoder {
                match self { $(Self::$name(head) => head,)* }
            }

            /// The family's name in a manifest.
            pub fn kind(&self) -> String {
                match self { $(Self::$name(_) => stringify!($name).to_lowercase(),)* }
            }
        }
    };
}

heads! {
    /// YOLOX: one tensor, boxes relative to their cell.
    yolox::Yolox,
    /// PP-PicoDet: a tensor of scores and one of distances per stride.
    picodet::PicoDet,
    /// NanoDet-Plus: one tensor of logits and distances.
    nanodet::NanoDet,
    /// FastestDet: one feature map, one box per cell.
    fastestdet::FastestDet,
    /// The product's own networks: one map per stride, raw.
    street::Street,
}

/// Columns and rows of the feature map at `stride`.
fn cells(input: &Input, stride: usize) -> (usize, usize) {
    (input.width.div_ceil(stride), input.height.div_ceil(stride))
}

/// Boxes over all strides.
fn anchors(input: &Input, strides: &[usize]) -> usize {
    strides.iter().map(|stride| cells(input, *stride)).map(|(columns, rows)| columns * rows).sum()
}

/// Every cell's column, row and stride, in the order of the output's boxes.
fn grid<'a>(input: &'a Input, strides: &'a [usize]) -> impl Iterator<Item = (f32, f32, f32)> + 'a {
    strides.iter().flat_map(move |stride| {
        let (columns, rows) = cells(input, *stride);
        (0..rows).flat_map(move |y| (0..columns).map(move |x| (x as f32, y as f32, *stride as f32)))
    })
}

/// The class with the highest value, the first of equals.
fn best(values: &[f32]) -> (usize, f32) {
    values
        .iter()
        .copied()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, new| if new.1 > best.1 { new } else { best })
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Returns true if all scores are between 0 and 1, but for rounding.
fn are_probabilities(scores: impl IntoIterator<Item = f32>) -> bool {
    scores.into_iter().all(|score| (-1e-3..=1.001).contains(&score))
}

fn strides_problem(strides: &[usize]) -> Option<(&'static str, String)> {
    (strides.is_empty() || strides.iter().any(|stride| !(1..=1024).contains(stride)))
        .then(|| ("strides", format!("{strides:?} must be one or more numbers from 1 to 1024")))
}
