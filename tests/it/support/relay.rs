//! A link between a post and its broker that knows MQTT's packets: it delivers alerts twice, late, and out of order.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Faults of alerts on their way to the post; they hold for alerts that come after they were set.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mischief {
    /// Percentage that is delivered again, up to `held_max` later.
    pub twice_percent: u32,
    /// Percentage that is held back, up to `held_max`, while others pass.
    pub held_percent: u32,
    /// Longest delay of both.
    pub held_max: Duration,
}

/// See the module. Packets that a broken connection holds back are lost with it.
pub struct Relay {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: u16,
    mischief: Mutex<Mischief>,
    open: Mutex<Vec<TcpStream>>,
    twice: AtomicU64,
    held: AtomicU64,
    is_over: AtomicBool,
}

impl Relay {
    /// Starts a link to a port of this machine.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target,
            mischief: Mutex::default(),
            open: Mutex::default(),
            twice: AtomicU64::new(0),
            held: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for (near, seed) in listener.incoming().map_while(Result::ok).zip(0..) {
                if of_thread.is_over.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(far) = TcpStream::connect(("127.0.0.1", of_thread.target)) {
                    of_thread.link(&near, &far, seed);
                }
            }
        });
        Self { port, shared }
    }

    pub fn set(&self, mischief: Mischief) {
        *self.shared.mischief.lock().unwrap() = mischief;
    }

    /// Number of alerts that were delivered again, and of those that were held back.
    pub fn counts(&self) -> (u64, u64) {
        (self.shared.twice.load(Ordering::Relaxed), self.shared.held.load(Ordering::Relaxed))
    }

    /// Cuts the open connections.
    pub fn cut(&self) {
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.cut();
        // Wakes up the thread that waits for connections.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn link(self: &Arc<Self>, near: &TcpStream, far: &TcpStream, seed: u64) {
        for stream in [near, far] {
            let _ = stream.set_nodelay(true);
            self.open.lock().unwrap().push(stream.try_clone().unwrap());
        }
        let (mut from, mut to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        let (mut from, to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
        let (under_way, arriving) = sync_channel(16);
        std::thread::spawn(move || {
            while let Some(packet) = read_packet(&mut from) {
                if under_way.send(packet).is_err() {
                    break;
                }
            }
        });
        let shared = Arc::clone(self);
        std::thread::spawn(move || shared.deliver(&arriving, &to, StdRng::seed_from_u64(seed)));
    }

    fn deliver(&self, arriving: &Receiver<Vec<u8>>, mut to: &TcpStream, mut random: StdRng) {
        let mut held: Vec<(Instant, Vec<u8>)> = Vec::new();
        loop {
            let now = Instant::now();
            let next = held.iter().map(|(at, _)| at.saturating_duration_since(now)).min();
            match arriving.recv_timeout(next.unwrap_or(Duration::from_secs(1))) {
                Ok(packet) if is_alert(&packet) => {
                    let mischief = *self.mischief.lock().unwrap();
                    let later = Instant::now() + mischief.held_max.mul_f64(random.random());
                    if random.random_ratio(mischief.twice_percent, 100) {
                        self.twice.fetch_add(1, Ordering::Relaxed);
                        // Bit 3 is MQTT's flag of a repetition (DUP).
                        held.push((later, [&[packet[0] | 8], &packet[1..]].concat()));
                    }
                    if random.random_ratio(mischief.held_percent, 100) {
                        self.held.fetch_add(1, Ordering::Relaxed);
                        held.push((later, packet));
                    } else if to.write_all(&packet).is_err() {
                        break;
                    }
                }
                Ok(packet) => {
                    if to.write_all(&packet).is_err() {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = Instant::now();
            let due: Vec<_> = held.extract_if(.., |(at, _)| *at <= now).collect();
            if due.iter().any(|(_, packet)| to.write_all(packet).is_err()) {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}

/// Reads a packet. MQTT 3.1.1, section 2.2: a byte of type and flags, a length of one to four bytes, and so many bytes.
fn read_packet(from: &mut impl Read) -> Option<Vec<u8>> {
    let mut packet = vec![0; 1];
    from.read_exact(&mut packet).ok()?;
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let mut byte = [0];
        from.read_exact(&mut byte).ok()?;
        packet.push(byte[0]);
        length |= usize::from(byte[0] & 127) << shift;
        if byte[0] < 128 {
            break;
        }
    }
    let head = packet.len();
    packet.resize(head + length, 0);
    from.read_exact(&mut packet[head..]).ok()?;
    Some(packet)
}

/// Returns true for a PUBLISH with QoS 1 on a topic `.../alert`.
fn is_alert(packet: &[u8]) -> bool {
    let head = 1 + packet[1..].iter().position(|byte| *byte < 128).unwrap_or(0) + 1;
    let is_publish = packet[0] & 0xf6 == 0x32;
    let topic = packet.get(head..head + 2).map(|bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])));
    let topic = topic.and_then(|length| packet.get(head + 2..head + 2 + length));
    is_publish && topic.is_some_and(|topic| topic.ends_with(b"/alert"))
}
