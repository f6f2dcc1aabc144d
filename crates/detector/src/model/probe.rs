//! Checks that a network's values on a new picture have the meaning that its head reads. Shapes cannot tell boxes in pixels
//! from boxes in cells, nor scores from logits.

use std::path::Path;

use super::Model;
use crate::error::DetectError;
use base::geometry::Rect;
use base::picture::Picture;

const COLUMNS: u32 = 64;
const ROWS: u32 = 36;

/// Runs the network on two pictures, and refuses it where its head doubts the values, or where an output is the same for both.
pub(super) fn check(model: &Model, path: &Path) -> Result<(), DetectError> {
    let outputs_of = |picture: &Picture| {
        let prepared = model.prepare(picture, Rect::new(0.0, 0.0, 1.0, 1.0), model.sizes[0])?;
        Ok::<_, DetectError>(model.outputs(prepared)?.values())
    };
    let values = outputs_of(&picture())?;
    let variant = &model.variants[0];
    let outputs: Vec<&[f32]> = variant.outputs.iter().map(|at| values[*at].as_slice()).collect();
    let wrong =
        |problem: String, remedy: String| DetectError::Export { path: path.to_owned(), problem, remedy };
    if outputs.iter().any(|output| output.iter().any(|value| !value.is_finite())) {
        let problem = "its outputs for a probe picture are not numbers".to_owned();
        return Err(wrong(problem, "export it again, and try it where it was trained".to_owned()));
    }
    let others = outputs_of(&grey())?;
    if variant.outputs.iter().any(|at| values[*at] == others[*at]) {
        let problem =
            "an output is the same for two different pictures: its weights are missing, or were damaged"
                .to_owned();
        return Err(wrong(problem, "copy the network and its weights again from their origin".to_owned()));
    }
    match model.manifest.head.decoder().doubt(&outputs, &variant.input) {
        None => Ok(()),
        Some((problem, remedy)) => Err(wrong(problem, remedy)),
    }
}

/// A picture without anything on it.
fn grey() -> Picture {
    let rgb = vec![128; (COLUMNS * ROWS * 3) as usize];
    Picture::from_rgb(COLUMNS, ROWS, &rgb).expect("the samples were counted for this size")
}

/// A street of three grey tones with some squares on it.
fn picture() -> Picture {
    let mut rgb = Vec::with_capacity((COLUMNS * ROWS * 3) as usize);
    for at in 0..COLUMNS * ROWS {
        let (x, y) = (at % COLUMNS, at / COLUMNS);
        let ground = if y < ROWS / 3 { 200 } else { 90 };
        let square = (x / 6) % 3 == 1 && (y / 8) % 2 == 1;
        let tone = if square { [40, 60, 160] } else { [ground, ground, ground - 10] };
        rgb.extend_from_slice(&tone);
    }
    Picture::from_rgb(COLUMNS, ROWS, &rgb).expect("the samples were counted for this size")
}
