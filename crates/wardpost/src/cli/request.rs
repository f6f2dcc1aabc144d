//! The request of an officer's command to the service that answers it: arguments, environment, and where the output goes.
//!
//! One message over a Unix socket: JSON up to a line's end, with the command's standard output, standard error and, for a
//! picture, its file as descriptors. The answer is one byte, the exit code.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

/// The socket of the service.
pub(super) const SOCKET: &str = "/run/wardpost/read.sock";
/// The file of a picture, as the service's command has it: its standard input.
pub(super) const HANDED_OVER: &str = "/dev/stdin";
/// Variables that decide on pictures in a terminal, on the machine's time zone, and on the log.
pub(super) const ENVIRONMENT: &[&str] =
    &["LC_TERMINAL", "TERM", "TERM_PROGRAM", "KITTY_WINDOW_ID", "KONSOLE_VERSION", "TZ", "RUST_LOG"];
/// Maximum length of a request.
const BYTES_MAX: usize = 64 * 1024;
/// Standard output, standard error, a picture's file.
const FILES_MAX: usize = 3;

/// A command that somebody else runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    /// Arguments behind the program's name.
    pub arguments: Vec<String>,
    /// Those of [`ENVIRONMENT`] that are set.
    pub environment: BTreeMap<String, String>,
}

impl Request {
    /// Sends it with these files.
    pub fn send(&self, socket: impl AsFd, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut text = serde_json::to_vec(self).map_err(io::Error::other)?;
        text.push(b'\n');
        if text.len() > BYTES_MAX {
            return Err(io::Error::other("the command is too long"));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        beside.push(SendAncillaryMessage::ScmRights(files));
        let sent = sendmsg(&socket, &[IoSlice::new(&text)], &mut beside, SendFlags::NOSIGNAL)?;
        match sent == text.len() {
            true => Ok(()),
            false => Err(io::Error::other("the command was cut off")),
        }
    }

    /// Receives one, with its files.
    pub fn receive(socket: impl AsFd) -> io::Result<(Self, Vec<OwnedFd>)> {
        let (mut text, mut files) = (Vec::new(), Vec::new());
        while text.last() != Some(&b'\n') {
            let mut piece = vec![0; BYTES_MAX];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
            let mut beside = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::CMSG_CLOEXEC;
            let found = recvmsg(&socket, &mut [IoSliceMut::new(&mut piece)], &mut beside, flags)?;
            for message in beside.drain() {
                if let RecvAncillaryMessage::ScmRights(sent) = message {
                    files.extend(sent);
                }
            }
            text.extend_from_slice(&piece[..found.bytes]);
            if found.bytes == 0 || text.len() > BYTES_MAX || files.len() > FILES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "what was sent is no command"));
            }
        }
        let request = serde_json::from_slice(&text).map_err(io::Error::other)?;
        Ok((request, files))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_request_arrives_with_its_files() {
        let (near, far) = UnixStream::pair().unwrap();
        let (mut reading, writing) = io::pipe().unwrap();
        let request = Request {
            arguments: vec!["list".into(), "--box".into(), "cổng".into()],
            environment: BTreeMap::from([("LANG".into(), "vi_VN.UTF-8".into())]),
        };
        request.send(&near, &[writing.as_fd(), writing.as_fd()]).unwrap();
        drop(writing);
        let (received, mut files) = Request::receive(&far).unwrap();
        assert_eq!((received, files.len()), (request, 2));
        std::fs::File::from(files.remove(1)).write_all(b"here").unwrap();
        drop(files);
        let mut said = String::new();
        reading.read_to_string(&mut said).unwrap();
        assert_eq!(said, "here");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for sent in ["", "{}\n", "no end"] {
            let (mut near, far) = UnixStream::pair().unwrap();
            near.write_all(sent.as_bytes()).unwrap();
            drop(near);
            assert!(Request::receive(&far).is_err(), "{sent:?}");
        }
    }
}
