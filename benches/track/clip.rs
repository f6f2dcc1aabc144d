//! The clips of `../shared` as pictures. Other benches include this file, too.

use std::path::{Path, PathBuf};

use base::picture::Frame;

use super::watch::frame;

/// Frames a second.
const FPS: f64 = 5.0;

/// Folder of the real footage: `WARDWATCH_SHARED`, or `shared` beside the project.
pub fn shared() -> PathBuf {
    std::env::var_os("WARDWATCH_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
}

/// File of a clip.
pub fn path(name: &str) -> PathBuf {
    shared().join("clips").join(name).with_extension("mp4")
}

/// Reads five of a file's pictures a second.
pub fn frames(path: &Path) -> impl Iterator<Item = Frame> + use<> {
    let mut reader = camera::read_pictures(path).unwrap();
    let mut due = 0.0;
    std::iter::from_fn(move || {
        loop {
            let (pts, picture) = reader.next_picture().unwrap()?;
            let second = pts.0 as f64 * 1e-9;
            if second + 0.01 >= due {
                due = (due + 1.0 / FPS).max(second);
                return Some(frame(second, picture));
            }
        }
    })
}
