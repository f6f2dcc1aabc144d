//! Pictures that the encoder x264 has coded at a low bit rate; the program ffmpeg runs it.

use std::path::Path;
use std::process::{Command, Stdio};

use base::picture::{Frame, Picture};

use super::clip;

/// Bit rate of a camera's sub stream over a thin line.
const RATE: &str = "200k";
/// Distance of key frames, in pictures.
const GOP: &str = "50";
/// Number of pictures of a still's stream, the photograph with another noise each time; the last one is taken.
const STILL_PICTURES: &str = "13";

/// Returns an error where ffmpeg does not run.
pub fn check() -> Result<(), String> {
    let done = ffmpeg().arg("-version").output().map_err(|error| format!("ffmpeg: {error}"))?;
    if done.status.success() { Ok(()) } else { Err(format!("ffmpeg: {}", done.status)) }
}

/// Returns five of a clip's frames a second, after it was coded 640 pixels wide at its own rate; an error where ffmpeg fails.
pub fn frames(path: &Path) -> Result<Vec<Frame>, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clip.mp4");
    let mut command = ffmpeg();
    command.arg("-i").arg(path).args(["-an", "-vf", "scale=640:-2"]);
    encode(command, &file)?;
    Ok(clip::frames(&file).collect())
}

/// Returns a photograph as a stream of that bit rate shows it after a second, in another size than it has.
pub fn still(path: &Path) -> Result<Picture, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("still.mp4");
    let mut command = ffmpeg();
    command.args(["-loop", "1", "-framerate", "12.5", "-i"]).arg(path);
    command.args(["-frames:v", STILL_PICTURES]);
    command.args(["-vf", "scale=640:-2,pad=iw:ceil(ih/2)*2,noise=alls=6:allf=t,format=yuv420p"]);
    encode(command, &file)?;
    let mut reader = camera::read_pictures(&file).map_err(|error| error.to_string())?;
    let mut last = None;
    while let Some((_, picture)) = reader.next_picture().map_err(|error| error.to_string())? {
        last = Some(picture);
    }
    last.ok_or_else(|| format!("{}: ffmpeg made no picture of it", path.display()))
}

fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-threads", "1"]).stdin(Stdio::null());
    command
}

fn encode(mut command: Command, file: &Path) -> Result<(), String> {
    command.args(["-c:v", "libx264", "-preset", "veryfast", "-g", GOP, "-threads", "1"]);
    command.args(["-b:v", RATE, "-maxrate", RATE, "-bufsize", RATE]).arg(file);
    let done = command.output().map_err(|error| format!("ffmpeg: {error}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    if done.status.success() { Ok(()) } else { Err(format!("ffmpeg: {}", said.trim())) }
}
