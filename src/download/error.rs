//! Errors of a download.

use std::io;
use std::path::{Path, PathBuf};

use base::fault::ErrorKind;

/// Reason for which a file did not come. Each message names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The server cannot be reached.
    #[error(
        "{url}: cannot be reached: {problem}; is this machine on a network that reaches it? Name a proxy in HTTPS_PROXY, a mirror \
         with --url, or bring the file with --from"
    )]
    Unreachable {
        /// The address.
        url: String,
        /// The connection's own words.
        problem: String,
    },
    /// This machine knows no certificate authority.
    #[error(
        "no certificate authority is known on this machine, without which {url} cannot be trusted: install the package \
         ca-certificates, or bring the file with --from"
    )]
    NoAuthorities {
        /// The address.
        url: String,
    },
    /// The server does not give the file.
    #[error("{url}: the server answered {status}: {remedy}")]
    Refused {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The remedy.
        remedy: &'static str,
    },
    /// The connection broke on the way.
    #[error(
        "{url}: the connection broke after {length} bytes: {problem}; they are kept in {}, run the command again to go on from \
         there",
        part.display()
    )]
    Broken {
        /// The address.
        url: String,
        /// The connection's own words.
        problem: String,
        /// The file that keeps the bytes.
        part: PathBuf,
        /// Their number.
        length: u64,
    },
    /// The file is another one.
    #[error(
        "{from}: its sha256 is {found}, and {expected} is wanted{}; nothing of it was kept",
        if *is_page { ": it is a web page, a portal or a proxy answered in its place" } else { ": it is another file or a part of it, or it was changed on the way" }
    )]
    WrongSha256 {
        /// The address or the file.
        from: String,
        /// The wanted sha256.
        expected: String,
        /// Its sha256.
        found: String,
        /// It is HTML.
        is_page: bool,
    },
    /// The body is longer than the file.
    #[error("{}: more came ({length} bytes) than the file has: it is another file; nothing of it was kept", path.display())]
    TooLong {
        /// The target.
        path: PathBuf,
        /// Bytes that came.
        length: u64,
    },
    /// Another file has the name.
    #[error("{}: there is another file of this name (sha256 {found}): move it away, or name another folder with --output", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
        /// Its sha256.
        found: String,
    },
    /// Another process is fetching the file.
    #[error("{}: another process is fetching this file: wait for it", path.display())]
    Busy {
        /// The file with the bytes so far.
        path: PathBuf,
    },
    /// The disk has too little space.
    #[error(
        "{}: {free} bytes are free, {needed} are needed: make room, or name a folder on another disk with --output",
        path.display()
    )]
    Full {
        /// The folder.
        path: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are needed.
        needed: u64,
    },
    /// The disk has become full while the file was written.
    #[error("{}: the disk is full: make room, or name a folder on another disk with --output", path.display())]
    NoSpace {
        /// The file or folder.
        path: PathBuf,
    },
    /// The file on a stick is empty, or only its beginning.
    #[error("{}: {}; nothing of it was kept", path.display(), short(*length, *wanted))]
    Short {
        /// The file.
        path: PathBuf,
        /// Bytes in it.
        length: u64,
        /// Bytes that it should have, where that is known.
        wanted: Option<u64>,
    },
    /// The place cannot be written.
    #[error("{}: cannot be written: {source}; run this as root, or name a folder of yours with --output", path.display())]
    Target {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file on a stick cannot be read.
    #[error("{}: cannot be read: {source}; is the stick mounted, and the path right?", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

fn short(length: u64, wanted: Option<u64>) -> String {
    match (length, wanted) {
        (0, _) => "the file is empty: copy it to the stick again".to_owned(),
        (length, Some(wanted)) => {
            format!("only {length} of {wanted} bytes are there: copy it to the stick again")
        }
        (length, None) => format!("only {length} bytes are there: copy it to the stick again"),
    }
}

impl DownloadError {
    /// The error of a file or folder that cannot be written.
    pub(super) fn target(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { path: path.clone() },
            _ => Self::Target { path: path.clone(), source },
        }
    }

    /// The supervisor's class of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Busy { .. } => ErrorKind::Transient,
            Self::WrongSha256 { .. } | Self::TooLong { .. } | Self::Short { .. } => ErrorKind::Corrupt,
            Self::Full { .. } | Self::NoSpace { .. } => ErrorKind::Exhausted,
            Self::NoAuthorities { .. } | Self::Refused { .. } | Self::Occupied { .. } => ErrorKind::Config,
            Self::Target { .. } | Self::Source { .. } => ErrorKind::Config,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_and_not_the_rights_on_it() {
        let said = |number| DownloadError::target(Path::new("/x"))(io::Error::from_raw_os_error(number));
        for number in [libc::ENOSPC, libc::EDQUOT] {
            let error = said(number);
            assert!(error.to_string().starts_with("/x: the disk is full: make room"), "{error}");
            assert_eq!(error.kind(), ErrorKind::Exhausted);
        }
        assert!(said(libc::EACCES).to_string().contains("run this as root"));
    }
}
