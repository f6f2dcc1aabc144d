//! Scenarios of `wardwatch model get`: the command as a person gives it, against a server on loopback.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use crate::support;

/// Serves `file` at every path but `/gone`. Returns the address.
fn server(file: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let asked = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let (status, body) =
                if asked.contains("/gone") { ("404 Not Found", &[][..]) } else { ("200 OK", &file[..]) };
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            )
            .unwrap();
            // The client may not want it.
            let _ = stream.write_all(body);
        }
    });
    address
}

fn get(arguments: &[&str], output: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wardwatch"))
        .args(["model", "get"])
        .args(arguments)
        .args(["--config", "/nonexistent/wardwatch.toml", "--output"])
        .arg(output)
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .env_remove("ALL_PROXY")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_network_comes_by_its_name_and_runs_at_its_size() {
    let Some(models) = support::shared("models") else { return };
    let file = std::fs::read(models.join("yolox_nano_416.onnx")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("{}/mirror/yolox_nano.onnx", server(file.clone()));
    let output = get(&["yolox-nano", "--url", &url], folder.path());
    let (out, complaints) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{complaints}");
    let target = folder.path().join("yolox-nano.onnx");
    assert_eq!(std::fs::read(&target).unwrap(), file);
    let licence = out.find("licence  Apache-2.0").unwrap();
    assert!(licence < out.find("is there, its sha256 is right").unwrap(), "before it comes: {out}");
    let lines = format!("[detector]\nmodel = {:?}\ninput_size = [640, 384]\n", target.display().to_string());
    assert!(out.contains(&lines) && out.contains("it runs here"), "{out}");
    assert!(!complaints.contains("panic"), "{complaints}");
}

#[test]
fn a_network_comes_from_a_stick() {
    let Some(models) = support::shared("models") else { return };
    let (stick, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = stick.path().join("anything.onnx");
    std::fs::copy(models.join("yolox_nano_416.onnx"), &file).unwrap();
    let output = get(&["yolox-nano", "--from", file.to_str().unwrap()], &folder.path().join("new"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(folder.path().join("new/yolox-nano.onnx").is_file());
    // The folder does, too, if the file in it has the name of its origin.
    std::fs::rename(&file, stick.path().join("yolox_nano.onnx")).unwrap();
    let output = get(&["yolox-nano", "--from", stick.path().to_str().unwrap()], folder.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    // So does the name of `model list`, for the network and for the file.
    std::fs::rename(stick.path().join("yolox_nano.onnx"), stick.path().join("yolox_nano_416.onnx")).unwrap();
    let output =
        get(&["yolox_nano_416", "--from", stick.path().to_str().unwrap()], &folder.path().join("other"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(folder.path().join("other/yolox-nano.onnx").is_file());
}

#[test]
fn what_cannot_come_is_said_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let address = server(b"<html>Welcome to this network</html>".to_vec());
    let gone = format!("{address}/gone");
    let stick = tempfile::tempdir().unwrap();
    std::fs::write(stick.path().join("empty.onnx"), b"").unwrap();
    std::fs::write(stick.path().join("half.onnx"), b"half").unwrap();
    let on_stick = |name: &str| stick.path().join(name).display().to_string();
    let (folder_alone, empty, half) = (on_stick(""), on_stick("empty.onnx"), on_stick("half.onnx"));
    for (arguments, words) in [
        (&["yolox-nano", "--url", &gone][..], &["/gone: the server answered 404", "--url", "--from"][..]),
        (&["yolox-nano", "--url", &address], &["web page", "nothing of it was kept"]),
        (&["yolo", "--url", &address], &["\"yolo\"", "yolox-nano, picodet-s, nanodet-plus"]),
        (&["yolox-nan", "--url", &address], &["\"yolox-nan\"", "did you mean yolox-nano?"]),
        (&["picodet_xs_416", "--url", &address], &["has no public address", "[detector] model"]),
        (&["picodet-s", "--from", "/nonexistent"], &["/nonexistent: cannot be read", "stick"]),
        (&["yolox-nano", "--from", &folder_alone], &["none of ", "yolox-nano.onnx", "yolox_nano.onnx"]),
        (&["yolox-nano", "--from", &empty], &["the file is empty", "copy it to the stick again"]),
        (&["yolox-nano", "--from", &half], &["only 4 of ", "copy it to the stick again"]),
    ] {
        let output = get(arguments, folder.path());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        for word in words {
            assert!(message.contains(word), "{word:?} is not in: {message}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{arguments:?}");
    }
}
