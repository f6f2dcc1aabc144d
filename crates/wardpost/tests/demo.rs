//! `wardpost demo` as a person starts it: it prints an address, a browser's requests find drawn alerts there, and nothing stays.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time within which the page has what is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a request; returns the whole answer.
fn ask(address: &str, method: &str, path: &str, more: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/html\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n{more}\r\n{body}"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The largest number of an event on a page.
fn newest(page: &str) -> u64 {
    let numbers = page.split("data-event=\"").skip(1);
    numbers.filter_map(|rest| rest.split('"').next()?.parse().ok()).max().unwrap_or(0)
}

#[test]
fn a_person_sees_drawn_alerts_and_that_they_are_drawn() {
    let place = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_wardpost"))
        .args(["demo", "--lang", "en"])
        .env("TMPDIR", place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // A pipe that nobody reads any more would end it.
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let demo = Ended(demo);
    let (mut address, mut code) = (String::new(), String::new());
    for line in lines.by_ref().map_while(Result::ok) {
        if let Some((_, url)) = line.split_once("drawn ward: http://") {
            address = url.trim_end_matches('/').to_owned();
        }
        if let Some((_, found)) = line.split_once("one-time code ") {
            code = found.to_owned();
            break;
        }
    }
    assert!(address.starts_with("127.0.0.1:"), "{address}");

    // Also before anybody has logged in.
    let band = "Trình diễn / Demonstration";
    assert!(ask(&address, "GET", "/begin", "", "").contains(band));
    let form = format!("code={code}&name=lan&full_name=Lan&password=mot+hai+ba+bon");
    let begun = ask(&address, "POST", "/begin", "", &form);
    let cookie = begun.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie: "));
    let cookie =
        cookie.unwrap_or_else(|| panic!("{begun}")).split_once(": ").unwrap().1.split(';').next().unwrap();
    let cookie = format!("Cookie: {cookie}\r\n");
    let queue = ask(&address, "GET", "/", &cookie, "");
    for text in [band, "Critical", "Warning", "Notice", "data-event="] {
        assert!(queue.contains(text), "{text}: {queue}");
    }
    for path in ["/map", "/figures?days=7", "/shift", "/shelves"] {
        assert!(ask(&address, "GET", path, &cookie, "").contains(band), "{path}");
    }
    assert!(ask(&address, "GET", "/map", &cookie, "").matches("class=\"marker").count() >= 9);

    // Another event comes by itself.
    let (before, deadline) = (newest(&queue), Instant::now() + PATIENCE);
    while newest(&ask(&address, "GET", "/", &cookie, "")) <= before {
        assert!(Instant::now() < deadline, "no alert came after event {before}");
        std::thread::sleep(Duration::from_millis(200));
    }

    // Ctrl-C ends it, and what was drawn goes with it.
    let mut demo = demo;
    let stopped = Command::new("kill").args(["-INT", &demo.0.id().to_string()]).status().unwrap();
    assert!(stopped.success() && demo.0.wait().unwrap().success());
    assert_eq!(place.path().read_dir().unwrap().count(), 0, "nothing stays");
}
