//! The detector: the built-in network, a network of one's own, or the motion detector.

use super::file;
use super::outside::Checker;
use crate::infer;

/// The detector's settings. `None` only if a problem has been noted.
pub(super) fn checked(checker: &mut Checker, detector: &file::Detector) -> Option<infer::Settings> {
    let choice = if infer::DetectorChoice::is_built_in(&detector.model) {
        Some(infer::DetectorChoice::named(&detector.model))
    } else {
        network(checker, &detector.model).map(infer::DetectorChoice::Network)
    };
    if let Some([width, height]) = detector.input_size
        && [width, height].iter().any(|side| !(32..=4096).contains(side) || side % 16 != 0)
    {
        let what = format!("{width}x{height} is no size of a network's input");
        let remedy = "give columns and rows, each a multiple of the network's largest stride (32 or 64), as [640, 384]";
        checker.wrong("detector.input_size", what, remedy);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Some(infer::Settings {
        detector: choice?,
        input_size: detector
            .input_size
            .map(|[width, height]| base::detector::InputSize { width: width.into(), height: height.into() }),
        score_min: detector.score_min,
        workers: detector.workers.unwrap_or_else(|| cores.saturating_sub(1).max(1)),
        cpu_share_max: detector.cpu_share_max,
        temperature_celsius_max: detector.temperature_celsius_max,
        every_frame: false,
    })
}

fn network(checker: &mut Checker, text: &str) -> Option<std::path::PathBuf> {
    let remedy =
        "use \"street-nano\", \"motion\", or the path of a network's manifest (.toml) or file (.onnx)";
    let path = checker.path("detector.model", text)?;
    let known = path.extension().is_some_and(|extension| extension == "toml" || extension == "onnx");
    if !known {
        checker.wrong("detector.model", format!("{text:?} is no detector"), remedy);
        return None;
    }
    if !path.is_file() {
        checker.wrong("detector.model", format!("there is no file {}", path.display()), remedy);
        return None;
    }
    checker.is_readable("detector.model", text, &path, false).then_some(path)
}
