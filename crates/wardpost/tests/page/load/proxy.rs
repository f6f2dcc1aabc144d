//! A connection that can become a black hole: it stays, and nothing comes through.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Interval of looking for the end of the hole.
const LOOK: Duration = Duration::from_millis(10);

/// Forwards connections to a port of this machine.
pub struct Proxy {
    port: u16,
    is_held: Arc<AtomicBool>,
}

impl Proxy {
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_held = Arc::new(AtomicBool::new(false));
        let held = Arc::clone(&is_held);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let held = Arc::clone(&held);
                std::thread::spawn(move || forward(&stream, target, &held));
            }
        });
        Self { port, is_held }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Opens or closes the hole. What was sent meanwhile comes through afterwards.
    pub fn hold(&self, is_held: bool) {
        self.is_held.store(is_held, Ordering::Relaxed);
    }
}

fn forward(client: &TcpStream, target: u16, is_held: &AtomicBool) {
    wait(is_held);
    // Without a server, the client's connection ends.
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { return };
    std::thread::scope(|scope| {
        scope.spawn(|| copy(client, &server, is_held));
        copy(&server, client, is_held);
    });
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, is_held: &AtomicBool) {
    let mut chunk = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        wait(is_held);
        if to.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    wait(is_held);
    for stream in [from, to] {
        // The other direction may have closed it already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn wait(is_held: &AtomicBool) {
    while is_held.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
    }
}
