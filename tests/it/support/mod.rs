//! Parts that scenarios share.

pub mod broker;
pub mod camera;
pub mod ceremony;
pub mod post;
pub mod proxy;
pub mod relay;
pub mod sample;
pub mod scripted;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base::clock::Clock;
use base::fragment::Codec;
use base::time::Stamp;

/// The ward post's program of this build: it stands beside the box's.
pub fn wardpost_program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_wardwatch")).with_file_name("wardpost");
    assert!(
        program.exists(),
        "{} is missing: run `cargo build --locked --workspace --bins`",
        program.display()
    );
    program
}

/// Waits until `condition` holds; panics with `what` after `deadline`.
#[allow(dead_code, reason = "not every scenario waits")]
pub fn wait_until(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + deadline;
    while !condition() {
        assert!(Instant::now() < end, "waited {deadline:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The folder with real models, clips and data sets beside the checkout; prints why a test is skipped without it.
#[allow(dead_code, reason = "not every scenario needs it")]
pub fn shared(what: &str) -> Option<PathBuf> {
    let root = std::env::var_os("WARDWATCH_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let path = root.join(what);
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "skipped: {} is not there (set WARDWATCH_SHARED to the folder with models/, clips/, datasets/)",
        path.display()
    );
    None
}

/// Digests of an H.264 file's coded pictures in decoding order, without parameter sets and other extras.
pub fn slices(path: &Path) -> Vec<String> {
    slices_of(path, Codec::H264)
}

/// The same of a file of that codec.
pub fn slices_of(path: &Path, codec: Codec) -> Vec<String> {
    let kinds = match codec {
        Codec::H264 => "1-5",
        Codec::H265 => "0-31",
    };
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(path)
        .args(["-an", "-c:v", "copy", "-bsf:v", &format!("filter_units=pass_types={kinds}")])
        .args(["-f", "framemd5", "-"])
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{}: {complaints}", path.display());
    let text = String::from_utf8(output.stdout).unwrap();
    let digests = text.lines().filter(|line| !line.starts_with('#'));
    digests.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// A clock that shows the time it was set to.
#[derive(Clone)]
pub struct ToldClock(Arc<Mutex<Stamp>>);

impl ToldClock {
    pub fn new(now: Stamp) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    pub fn set(&self, now: Stamp) {
        *self.0.lock().unwrap() = now;
    }
}

impl Clock for ToldClock {
    fn now(&self) -> Stamp {
        *self.0.lock().unwrap()
    }
}
