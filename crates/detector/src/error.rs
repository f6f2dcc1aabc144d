//! Errors of a network, its manifest, or a folder of labelled pictures.

use std::path::PathBuf;

use base::detector::InferenceError;
use base::fault::ErrorKind;

/// Reason why there is no detector, or no detection. Each message names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// A file that cannot be read.
    #[error("{}: cannot be read: {source}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A manifest that is not TOML, or has unknown, missing or ill-typed keys.
    #[error("{place}: {problem}; the keys of a manifest are described in models/README.md")]
    Syntax {
        /// The manifest, with the line.
        place: String,
        /// The parser's message.
        problem: String,
    },
    /// A manifest's key with an impossible value.
    #[error("{manifest}: {key}: {problem}")]
    Value {
        /// The manifest.
        manifest: String,
        /// The key path.
        key: String,
        /// The fault, and a right value.
        problem: String,
    },
    /// Neither a manifest nor a network, by its name.
    #[error("{}: give a manifest (.toml) or a network (.onnx)", .0.display())]
    NoModelPath(PathBuf),
    /// An `.onnx` file that the catalogue does not know.
    #[error(
        "{}: this network (sha256 {sha256}) is none that is known (`wardwatch model list`): copy it again if it \
         should be one, or write a manifest for it, see models/README.md, and name the manifest instead",
        path.display()
    )]
    UnknownNetwork {
        /// The network's file.
        path: PathBuf,
        /// The file's hash.
        sha256: String,
    },
    /// The file ends in its middle.
    #[error("{}: this network is cut short at {bytes} bytes: copy it again from its origin", path.display())]
    Truncated {
        /// The network's file.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// A file that is not ONNX.
    #[error("{}: this is no ONNX file: export the network to ONNX, or correct the path", path.display())]
    NotOnnx {
        /// The network's file.
        path: PathBuf,
    },
    /// Another file than the manifest means.
    #[error(
        "{}: its sha256 is {found}, but {manifest} wants {expected}: copy the right file, or, if this one is \
         meant, correct `sha256`",
        path.display()
    )]
    WrongSha256 {
        /// The network's file.
        path: PathBuf,
        /// The manifest.
        manifest: String,
        /// The hash in the manifest.
        expected: String,
        /// The file's hash.
        found: String,
    },
    /// The network's input is not as the manifest says.
    #[error("{manifest}: {key}: the network's input is {found}, the manifest says {expected}: {remedy}")]
    Input {
        /// The manifest.
        manifest: String,
        /// The key path that differs.
        key: &'static str,
        /// The value in the network.
        found: String,
        /// The value in the manifest.
        expected: String,
        /// The remedy.
        remedy: String,
    },
    /// The network has another number of labels than the manifest.
    #[error(
        "{manifest}: labels: the network tells {found} labels apart, the manifest lists {expected}: list the labels \
         that it was trained with, in their order"
    )]
    LabelCount {
        /// The manifest.
        manifest: String,
        /// Number in the network.
        found: usize,
        /// Number in the manifest.
        expected: usize,
    },
    /// The network's outputs are not those of its head.
    #[error(
        "{manifest}: head: the network's outputs are {found}, a {kind} head with these numbers has {expected}: \
         correct `head.kind` or its numbers, or export the network without post-processing"
    )]
    Outputs {
        /// The manifest.
        manifest: String,
        /// The head's kind.
        kind: String,
        /// Outputs of the network.
        found: String,
        /// Outputs that the head reads.
        expected: String,
    },
    /// A graph that tract cannot make ready.
    #[error(
        "{}: the network cannot be made ready: {problem}; export it with a fixed batch of 1 and operator set 11 to 18",
        path.display()
    )]
    Unsupported {
        /// The network's file.
        path: PathBuf,
        /// tract's message, its whole chain.
        problem: String,
    },
    /// A file as some exporters write it, which cannot be run as it is.
    #[error("{}: {problem}: {remedy}", path.display())]
    Export {
        /// The network's file.
        path: PathBuf,
        /// The feature that cannot be run.
        problem: String,
        /// The way to a file that runs.
        remedy: String,
    },
    /// A network that does not run at a size that is asked of it.
    #[error(
        "{manifest}: {key}: the network does not run at {width}x{height}: {problem}; give sides that are multiples of the head's \
         largest stride, {stride}, such as {}x{}, leave the size out, or export the network at this size, or so that nothing in its graph depends on its input's size",
        nearest(*width, *stride),
        nearest(*height, *stride)
    )]
    Size {
        /// The manifest.
        manifest: String,
        /// The key path that asks for it.
        key: &'static str,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// The head's largest stride.
        stride: usize,
        /// The obstacle.
        problem: String,
    },
    /// An inference that failed.
    #[error("network {name}: an inference failed: {problem}; check the file with `wardwatch model check`")]
    Inference {
        /// The manifest's name.
        name: String,
        /// tract's message.
        problem: String,
    },
    /// A folder of labelled pictures that cannot be measured on.
    #[error("{place}: {problem}")]
    Dataset {
        /// The file or folder, with the line.
        place: String,
        /// The fault, and a right value.
        problem: String,
    },
}

/// The multiple of `stride` that is nearest to `side`, at least one.
fn nearest(side: usize, stride: usize) -> usize {
    let stride = stride.max(1);
    ((side + stride / 2) / stride).max(1) * stride
}

impl DetectError {
    /// True where the network's file is there, and may be damaged: another file, a part of it, or bytes that make no network.
    pub fn may_be_damage(&self) -> bool {
        matches!(
            self,
            Self::Truncated { .. }
                | Self::WrongSha256 { .. }
                | Self::UnknownNetwork { .. }
                | Self::NotOnnx { .. }
                | Self::Unsupported { .. }
        )
    }

    /// Kind of this error, for a supervisor's decision.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Truncated { .. } | Self::WrongSha256 { .. } => ErrorKind::Corrupt,
            Self::Inference { .. } => ErrorKind::Bug,
            _ => ErrorKind::Config,
        }
    }
}

impl From<DetectError> for InferenceError {
    fn from(error: DetectError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}
