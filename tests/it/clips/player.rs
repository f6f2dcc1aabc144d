//! An export in a browser.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};

use base::fragment::Codec;
use clipstore::export::FAT32_FILE_BYTES_MAX;
use tempfile::TempDir;

use super::{GOP, PATIENCE, export_gate, footage, one_file, record, secs};

/// Plays to the end, then goes into a gap and behind it, and reports.
const PAGE: &str = r#"<!doctype html><video id="v" src="/clip.mp4" muted></video><script>
const v = document.getElementById("v");
const say = what => fetch("/said?" + encodeURIComponent(what));
const seek = at => new Promise(done => { v.onseeked = () => done(v.currentTime); v.currentTime = at; });
v.onerror = () => say("error " + v.error.message);
v.onended = async () => {
  v.onended = null;
  const frames = v.getVideoPlaybackQuality();
  const within = await seek(5), behind = await seek(42.5), start = await seek(0.1);
  say(["ended", v.duration, v.videoWidth, frames.corruptedVideoFrames, within, behind, start].join(" "));
};
v.onloadeddata = () => { v.playbackRate = 8; v.play().catch(error => say("error " + error)); };
</script>"#;

#[test]
fn a_browser_plays_an_export_and_seeks_over_a_gap() {
    if Command::new("chromium").arg("--version").output().is_err() {
        eprintln!("skipped: chromium is not there");
        return;
    }
    let place = TempDir::new().unwrap();
    let Some(footage) = footage(place.path(), Codec::H264, 2, 320, 8) else { return };
    let first = [0, 3, 4].map(|number| footage.fragment(number));
    let second = [5, 6].map(|number| footage.moved(number, 1, secs(30) + GOP * number as u32));
    record(place.path(), first.into_iter().chain(second));
    let exported = export_gate(place.path(), secs(0), secs(60), FAT32_FILE_BYTES_MAX);
    let file = fs::read(&one_file(&exported).path).unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (said, results) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (file, said) = (file.clone(), said.clone());
            std::thread::spawn(move || serve(&stream, &file, &said));
        }
    });
    let mut browser = browser(place.path(), &url);
    let result = results.recv_timeout(PATIENCE);
    browser.kill().unwrap();
    browser.wait().unwrap();
    assert_eq!(result.as_deref(), Ok("ended 44 320 0 5 42.5 0.1"));
}

fn browser(folder: &Path, url: &str) -> std::process::Child {
    Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Answers one request: the page, the clip or a part of it, or a report from the page.
fn serve(mut stream: &TcpStream, file: &[u8], said: &Sender<String>) {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
    let answer = |mut to: &TcpStream, status: &str, kind: &str, body: &[u8]| {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\
             Accept-Ranges: bytes\r\n\r\n"
        );
        // A browser that has seen enough hangs up.
        let _ = to.write_all(head.as_bytes()).and_then(|()| to.write_all(body));
    };
    if path == "/clip.mp4" {
        let range =
            head.iter().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
        let start = range.as_deref().and_then(|range| range.split('-').next()?.parse::<usize>().ok());
        match start {
            Some(start) => {
                let status = format!(
                    "206 Partial Content\r\nContent-Range: bytes {start}-{}/{}",
                    file.len() - 1,
                    file.len()
                );
                answer(stream, &status, "video/mp4", &file[start..]);
            }
            None => answer(stream, "200 OK", "video/mp4", file),
        }
    } else if let Some(what) = path.strip_prefix("/said?") {
        said.send(what.replace("%20", " ")).unwrap();
        answer(stream, "200 OK", "text/plain", b"");
    } else {
        answer(stream, "200 OK", "text/html", PAGE.as_bytes());
    }
    let _ = stream.flush();
}
