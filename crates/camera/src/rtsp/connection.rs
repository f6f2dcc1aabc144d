//! One TCP connection to a camera, read without blocking beyond a deadline.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::error::RtspError;
use super::interleaved::Framer;
use super::udp::Ports;
use base::clock;
use base::time::Monotonic;

/// Maximum time for a camera's port to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum time for a request to wait for room in the connection.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Outcome of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    Bytes(usize),
    Nothing,
    /// The camera has closed its side.
    End,
}

/// The connection and its data so far.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    pub(super) framer: Framer,
    pub(super) local: IpAddr,
    pub(super) camera: IpAddr,
    is_ended: bool,
}

impl Connection {
    /// Connects to `HOST:PORT`.
    pub(super) fn open(authority: &str) -> Result<Self, RtspError> {
        Self::adopt(connect(authority, CONNECT_TIMEOUT)?)
    }

    /// Takes over a connection that is open already.
    pub(super) fn adopt(stream: TcpStream) -> Result<Self, RtspError> {
        let broken = |source| RtspError::Broken { during: "before the first request".to_owned(), source };
        stream.set_nonblocking(true).map_err(broken)?;
        // Fails only where the kernel does not know it, and then requests wait for each other.
        let _ = stream.set_nodelay(true);
        let (local, camera) =
            (stream.local_addr().map_err(broken)?.ip(), stream.peer_addr().map_err(broken)?.ip());
        Ok(Self { stream, framer: Framer::new(), local, camera, is_ended: false })
    }

    pub(super) fn send(&mut self, mut bytes: &[u8]) -> std::io::Result<()> {
        let until = clock::monotonic() + SEND_TIMEOUT;
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let left = until.since(clock::monotonic());
                    if left.is_zero() {
                        return Err(ErrorKind::TimedOut.into());
                    }
                    wait(&mut [PollFd::new(&self.stream, PollFlags::OUT)], left);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until bytes come, the camera closes, or the time is up.
    pub(super) fn receive(&mut self, until: Monotonic) -> std::io::Result<Came> {
        loop {
            match self.read_now()? {
                Came::Nothing => {}
                came => return Ok(came),
            }
            let left = until.since(clock::monotonic());
            if left.is_zero() {
                return Ok(Came::Nothing);
            }
            wait(&mut [PollFd::new(&self.stream, PollFlags::IN)], left);
        }
    }

    /// Waits until the connection or one of the ports has something, or the time is up.
    pub(super) fn wait_for_any(&self, ports: Option<&Ports>, span: Duration) {
        let mut sources: Vec<PollFd<'_>> = Vec::with_capacity(3);
        if !self.is_ended {
            sources.push(PollFd::new(&self.stream, PollFlags::IN));
        }
        if let Some(ports) = ports {
            sources.extend([&ports.rtp, &ports.rtcp].map(|socket| PollFd::new(socket, PollFlags::IN)));
        }
        wait(&mut sources, span);
    }

    /// Reads once, as much as fits into the framer's room.
    pub(super) fn read_now(&mut self) -> std::io::Result<Came> {
        if self.is_ended {
            return Ok(Came::End);
        }
        loop {
            match self.stream.read(self.framer.room()) {
                Ok(0) => {
                    self.is_ended = true;
                    return Ok(Came::End);
                }
                Ok(read) => {
                    self.framer.filled(read);
                    return Ok(Came::Bytes(read));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Came::Nothing),
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn close(&self) {
        // Fails only where it is closed already.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// Connects to `HOST:PORT`, each address of a name in its turn.
pub(crate) fn connect(authority: &str, patience: Duration) -> Result<TcpStream, RtspError> {
    let unreachable = |reason: String| RtspError::Unreachable { authority: authority.to_owned(), reason };
    let addresses = authority.to_socket_addrs().map_err(|error| unreachable(error.to_string()))?;
    let mut reason = "the name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(unreachable(reason))
}

/// Waits for one of `sources`; a wait that is cut short is as good as a long one.
fn wait(sources: &mut [PollFd<'_>], span: Duration) {
    let span = Timespec::try_from(span).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    let _ = poll(sources, Some(&span));
}
