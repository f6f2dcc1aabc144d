//! Detection on decoded frames: the only user of tract.

mod settings;

pub use settings::{DetectorChoice, Settings};
