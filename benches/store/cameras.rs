//! RTSP cameras in a process of their own, so that their work is not the box's.

use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use streetsim::server::{Access, CameraServer, Feed};

use crate::KBIT_PER_SECOND;

/// First argument of the process that serves.
pub const ROLE: &str = "serve-cameras";

/// Running cameras. Killed when dropped.
pub struct Cameras {
    process: Child,
    _keeps_it_running: ChildStdin,
    url: String,
    count: u32,
}

impl Cameras {
    /// `count` cameras that show `clip`.
    pub fn start(count: u32, clip: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([ROLE, &count.to_string()])
            .arg(clip)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let stdin = process.stdin.take().unwrap();
        Self { process, _keeps_it_running: stdin, url: url.trim().to_owned(), count }
    }

    /// URLs of the cameras.
    pub fn urls(&self) -> impl Iterator<Item = String> {
        (0..self.count).map(|number| format!("{}/{number}", self.url))
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serving process: prints its URL, and works until its standard input ends.
pub fn serve(mut arguments: impl Iterator<Item = String>) {
    let count: u32 = arguments.next().unwrap().parse().unwrap();
    let clip = PathBuf::from(arguments.next().unwrap());
    let server = CameraServer::start(0, &Access::default()).unwrap();
    for number in 0..count {
        server.mount(&format!("/{number}"), Feed::File(clip.clone())).unwrap();
    }
    println!("{}", server.url(""));
    let _ = std::io::stdin().read(&mut [0]);
}

/// 1080p, 15 frames and one GOP a second, 2 Mbit/s; made once, kept in the build's folder. `None` without ffmpeg.
pub fn clip() -> Option<PathBuf> {
    encoded("camera-1080p15-2M.mp4", "testsrc2=size=1920x1080:rate=15:duration=20,noise=alls=12:allf=t")
}

/// Clip of ffmpeg's filter graph `source`, encoded as a camera of [`KBIT_PER_SECOND`] encodes it with a key frame a second; kept
/// in the build's folder under `name`. `None` without ffmpeg.
pub fn encoded(name: &str, source: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        return Some(path);
    }
    let rate = format!("{KBIT_PER_SECOND}k");
    let unfinished = path.with_extension("part.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i"])
        .arg(source)
        .args(["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "15", "-bf", "0"])
        .args(["-x264-params", "scenecut=0:nal-hrd=cbr", "-b:v", &rate, "-maxrate", &rate, "-minrate", &rate])
        .args(["-bufsize", &rate])
        .arg(&unfinished)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("left out: ffmpeg with libx264 is not there");
        return None;
    }
    std::fs::rename(unfinished, &path).unwrap();
    Some(path)
}
