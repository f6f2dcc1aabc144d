//! A TCP link between a box and its broker that can be cut, stalled, slow, and far away.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Payload of a TCP packet, in bytes.
const SEGMENT: usize = 1400;

/// Properties of the link; they hold for bytes that come after they were set.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    /// Bytes per second each way; without a limit if it is not given.
    pub bytes_per_second: Option<u32>,
    /// Delay one way.
    pub delay: Duration,
    /// Percentage of lost segments. Each holds up the following ones for another round trip.
    pub loss_percent: u32,
    /// Bytes from the box after which each connection is cut.
    pub cut_after: Option<u64>,
    /// Nothing gets through, and neither end is told.
    pub is_stalled: bool,
    /// Bytes to the box are lost, and neither end is told.
    pub is_deaf: bool,
}

/// See the module.
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    weather: Mutex<Weather>,
    target: Mutex<u16>,
    from_box: AtomicU64,
    connections: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
    is_over: AtomicBool,
}

impl Proxy {
    /// Starts a link to a port of this machine.
    pub fn start(target: u16, weather: Weather) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            weather: Mutex::new(weather),
            target: Mutex::new(target),
            from_box: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if of_thread.is_over.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(far) = TcpStream::connect(("127.0.0.1", *of_thread.target.lock().unwrap())) {
                    of_thread.link(&near, &far);
                }
            }
        });
        Self { port, shared }
    }

    /// Sets the port that later connections lead to.
    pub fn set_target(&self, target: u16) {
        *self.shared.target.lock().unwrap() = target;
    }

    pub fn set(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap() = weather;
    }

    /// Number of bytes that have come from the box.
    pub fn bytes_from_box(&self) -> u64 {
        self.shared.from_box.load(Ordering::Relaxed)
    }

    /// Number of times that the box has connected.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Cuts the open connections.
    pub fn cut(&self) {
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.cut();
        // Wakes up the thread that waits for connections.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn link(self: &Arc<Self>, near: &TcpStream, far: &TcpStream) {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) as u64;
        for stream in [near, far] {
            let _ = stream.set_nodelay(true);
            self.open.lock().unwrap().push(stream.try_clone().unwrap());
        }
        self.carry(near, far, true, number * 2);
        self.carry(far, near, false, number * 2 + 1);
    }

    /// Carries one direction: a thread reads and one writes, with the bytes on their way between them.
    fn carry(self: &Arc<Self>, from: &TcpStream, to: &TcpStream, is_from_box: bool, seed: u64) {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let (under_way, arriving) = sync_channel::<(Instant, Vec<u8>)>(16);
        let shared = Arc::clone(self);
        std::thread::spawn(move || {
            let (mut buffer, mut total) = ([0; SEGMENT], 0u64);
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                let mut segment = buffer[..read].to_vec();
                if is_from_box {
                    let cut_after = shared.weather.lock().unwrap().cut_after.unwrap_or(u64::MAX);
                    segment.truncate(usize::try_from(cut_after.saturating_sub(total)).unwrap_or(SEGMENT));
                    total += segment.len() as u64;
                    shared.from_box.fetch_add(segment.len() as u64, Ordering::Relaxed);
                }
                let is_cut = segment.len() < read;
                if under_way.send((Instant::now(), segment)).is_err() || is_cut {
                    break;
                }
            }
            drop(under_way);
            let _ = from.shutdown(Shutdown::Read);
        });
        let shared = Arc::clone(self);
        std::thread::spawn(move || {
            let mut random = StdRng::seed_from_u64(seed);
            let mut link_free = Instant::now();
            for (left, segment) in arriving {
                let mut weather = *shared.weather.lock().unwrap();
                while weather.is_stalled && !shared.is_over.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                    weather = *shared.weather.lock().unwrap();
                }
                // The link carries on behind a lost segment, and later segments wait for it at the far end.
                let airtime =
                    weather.bytes_per_second.map_or(0.0, |rate| segment.len() as f64 / f64::from(rate));
                link_free = link_free.max(left) + Duration::from_secs_f64(airtime);
                let again = if random.random_ratio(weather.loss_percent, 100) {
                    weather.delay * 2
                } else {
                    Duration::ZERO
                };
                let arrives = link_free + weather.delay + again;
                std::thread::sleep(arrives.saturating_duration_since(Instant::now()));
                let is_lost = weather.is_deaf && !is_from_box;
                if !is_lost && to.write_all(&segment).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        });
    }
}
