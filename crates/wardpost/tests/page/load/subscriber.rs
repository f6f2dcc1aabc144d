//! A page without a browser: a connection to the feed, as the script of a page has it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

use base::clock;
use serde_json::Value;

use super::judge::Told;
use super::wait_until;
use super::ward::Ward;
use wardpost::people::Role;

/// Disconnected when dropped.
pub struct Subscriber {
    stream: TcpStream,
    heard: Arc<Mutex<Heard>>,
}

/// Messages so far.
#[derive(Default)]
struct Heard {
    told: Vec<Told>,
    /// Time of each, in milliseconds since 1970.
    at: Vec<f64>,
    beats: usize,
}

impl Subscriber {
    /// Connects as an officer of this name, and waits until the feed runs.
    pub fn start(ward: &Ward, name: &str) -> Self {
        let token = ward.log_in(name, Role::Officer);
        let port = ward.page_port();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let after = ward.storage().last_change().unwrap();
        let request = format!(
            "GET /feed?after={after} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: wardpost={token}\r\n\
             Accept: text/event-stream\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (reader, kept) = (BufReader::new(stream.try_clone().unwrap()), Arc::clone(&heard));
        // Each message is a line within one chunk.
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                let Some(json) = line.strip_prefix("data: ") else { continue };
                kept.lock().unwrap().take(&serde_json::from_str(json).unwrap());
            }
        });
        wait_until("the feed runs", || heard.lock().unwrap().beats > 0);
        Self { stream, heard }
    }

    /// Changes of which it was told.
    pub fn told(&self) -> Vec<Told> {
        self.heard.lock().unwrap().told.clone()
    }

    /// Event and time of each arrival.
    pub fn arrivals(&self) -> Vec<(u64, f64)> {
        let heard = self.heard.lock().unwrap();
        let arrived = heard.told.iter().zip(&heard.at).filter(|(told, _)| told.kind == "arrived");
        arrived.map(|(told, at)| (told.event.unwrap(), *at)).collect()
    }
}

impl Heard {
    fn take(&mut self, message: &Value) {
        let Some(number) = message["number"].as_u64() else {
            self.beats += 1;
            return;
        };
        let (kind, event) = (message["kind"].as_str().unwrap().to_owned(), message["event"].as_u64());
        self.told.push(Told { number, kind, event });
        self.at.push(clock::wall().as_micros() as f64 / 1e3);
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        // The server may have closed it.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
