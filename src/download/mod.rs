//! Downloads one file from a public address: resumable, and named only after its sha256 is checked. Owns HTTP towards
//! the world; never runs in the daemon, which opens no such connection. `cli` calls it when a person asks for a network.

mod error;
mod http;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

pub use error::DownloadError;
use http::{Answer, Client};

/// Bytes that stay free beside the file.
const HEADROOM: u64 = 64 << 20;
/// Longest file that is accepted, in bytes: a longer one is not the wanted file.
const BYTES_MAX: u64 = 1 << 30;
/// Connections for one file at most, as long as each brings new bytes and breaks.
const TRIES: u32 = 6;
const BLOCK: usize = 64 << 10;

/// The file that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its sha256 in lower-case hexadecimal.
    pub sha256: &'a str,
    /// Its length, where it is known before.
    pub bytes: Option<u64>,
    /// The path that it gets once it is whole and right. Beside it, `.part` keeps the bytes received so far.
    pub target: &'a Path,
}

/// Limits on waiting for a server.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Longest silence.
    pub silence: Duration,
    /// Wait before a broken connection is made again.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { silence: Duration::from_secs(30), pause: Duration::from_secs(2) }
    }
}

/// Callback for progress: bytes received, and bytes in all where that is known.
pub type Progress<'a> = &'a mut dyn FnMut(u64, Option<u64>);

/// Fetches `url` to [`Wanted::target`]. Goes on where an earlier call was cut off. Blocks; HTTPS_PROXY and its like are honoured.
///
/// # Errors
/// Nothing is at the target then. Bytes of a broken connection stay in `.part`; a wrong file is removed.
pub fn fetch(
    url: &str,
    wanted: Wanted<'_>,
    patience: Patience,
    progress: Progress<'_>,
) -> Result<(), DownloadError> {
    if is_there(wanted)? {
        return Ok(());
    }
    let mut part = Part::open(wanted)?;
    let resumed = part.length > 0;
    let client = Client::new(url, patience.silence)?;
    part.fill(&client, patience, progress)?;
    match part.finish(url) {
        // The bytes that an earlier call left may be of another file.
        Err(DownloadError::WrongSha256 { .. }) if resumed => {
            let mut part = Part::open(wanted)?;
            part.fill(&client, patience, progress)?;
            part.finish(url)
        }
        result => result,
    }
}

/// Takes the file from a disk, for boxes without a network.
///
/// # Errors
/// Nothing is at the target then.
pub fn take(from: &Path, wanted: Wanted<'_>, progress: Progress<'_>) -> Result<(), DownloadError> {
    if is_there(wanted)? {
        return Ok(());
    }
    let unreadable = |source| DownloadError::Source { path: from.to_owned(), source };
    let mut file = File::open(from).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(unreadable(std::io::Error::other("it is a folder without the file")));
    }
    let bytes = metadata.len();
    if bytes == 0 || wanted.bytes.is_some_and(|wanted| bytes < wanted) {
        return Err(DownloadError::Short { path: from.to_owned(), length: bytes, wanted: wanted.bytes });
    }
    let mut part = Part::open(Wanted { bytes: Some(bytes), ..wanted })?;
    part.restart()?;
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block).map_err(unreadable)? {
            0 => break,
            read => part.add(&block[..read])?,
        }
        progress(part.length, Some(bytes));
    }
    part.finish(&from.display().to_string())
}

/// True if the target is there and right.
fn is_there(wanted: Wanted<'_>) -> Result<bool, DownloadError> {
    match File::open(wanted.target) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(DownloadError::target(wanted.target)(source)),
        Ok(mut file) => match sha256(&mut file).map_err(DownloadError::target(wanted.target))? {
            found if found == wanted.sha256 => Ok(true),
            found => Err(DownloadError::Occupied { path: wanted.target.to_owned(), found }),
        },
    }
}

fn sha256(file: &mut File) -> std::io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block)? {
            0 => break,
            read => hash.update(&block[..read]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The received part of a file. Held by one process at a time.
struct Part<'a> {
    wanted: Wanted<'a>,
    path: PathBuf,
    file: File,
    length: u64,
}

impl<'a> Part<'a> {
    fn open(wanted: Wanted<'a>) -> Result<Self, DownloadError> {
        let folder =
            wanted.target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(DownloadError::target(folder))?;
        let mut path = wanted.target.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        let wrong = DownloadError::target(&path);
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags(libc::O_NOFOLLOW);
        let mut file = options.open(&path).map_err(&wrong)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(DownloadError::Busy { path }),
            Err(fs::TryLockError::Error(source)) => return Err(wrong(source)),
        }
        let length = file.seek(SeekFrom::End(0)).map_err(&wrong)?;
        let mut part = Self { wanted, path, file, length };
        if length > BYTES_MAX || wanted.bytes.is_some_and(|bytes| length > bytes) {
            part.restart()?;
        }
        part.check_space(folder)?;
        Ok(part)
    }

    fn check_space(&self, folder: &Path) -> Result<(), DownloadError> {
        let Some(bytes) = self.wanted.bytes else { return Ok(()) };
        let wrong = DownloadError::target(folder);
        let disk = rustix::fs::statvfs(folder).map_err(|error| wrong(error.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let needed = bytes.saturating_sub(self.length).saturating_add(HEADROOM);
        match free < needed {
            true => Err(DownloadError::Full { path: folder.to_owned(), free, needed }),
            false => Ok(()),
        }
    }

    fn restart(&mut self) -> Result<(), DownloadError> {
        let cleared = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        self.length = cleared.map_err(DownloadError::target(&self.path))?;
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        self.length += bytes.len() as u64;
        if self.length > self.wanted.bytes.unwrap_or(BYTES_MAX) {
            let length = self.length;
            self.remove();
            return Err(DownloadError::TooLong { path: self.wanted.target.to_owned(), length });
        }
        self.file.write_all(bytes).map_err(DownloadError::target(&self.path))
    }

    /// Receives the missing bytes. A connection that breaks is made again as long as each brings new bytes.
    fn fill(
        &mut self,
        client: &Client,
        patience: Patience,
        progress: Progress<'_>,
    ) -> Result<(), DownloadError> {
        for _ in 1..TRIES {
            let before = self.length;
            match self.receive(client, progress) {
                Err(DownloadError::Broken { .. }) if self.length > before => {
                    std::thread::sleep(patience.pause)
                }
                result => return result,
            }
        }
        self.receive(client, progress)
    }

    fn receive(&mut self, client: &Client, progress: Progress<'_>) -> Result<(), DownloadError> {
        let (mut body, total) = match client.get(self.length)? {
            Answer::Whole { body, total } => {
                self.restart()?;
                (body, total)
            }
            Answer::Rest { body, total } => (body, total),
            // The server has no further bytes: the file is whole, or it is another one, which its sha256 shows.
            Answer::Nothing => return Ok(()),
        };
        let total = total.or(self.wanted.bytes);
        let part = self.path.clone();
        let broken = |length, problem: String| {
            let (url, part) = (client.url().to_owned(), part.clone());
            DownloadError::Broken { url, problem, part, length }
        };
        let mut block = vec![0; BLOCK];
        loop {
            match body.read(&mut block) {
                Ok(0) if total.is_some_and(|total| self.length < total) => {
                    return Err(broken(self.length, "it ended before its end".to_owned()));
                }
                Ok(0) => return Ok(()),
                Ok(read) => self.add(&block[..read])?,
                Err(error) => return Err(broken(self.length, error.to_string())),
            }
            progress(self.length, total);
        }
    }

    /// Gives the file its name if its sha256 is the wanted one.
    fn finish(mut self, from: &str) -> Result<(), DownloadError> {
        let wrong = DownloadError::target;
        let found = sha256(&mut self.file).map_err(wrong(&self.path))?;
        if found != self.wanted.sha256 {
            let is_page = self.looks_like_a_page();
            let expected = self.wanted.sha256.to_owned();
            self.remove();
            return Err(DownloadError::WrongSha256 { from: from.to_owned(), expected, found, is_page });
        }
        self.file.sync_all().map_err(wrong(&self.path))?;
        fs::rename(&self.path, self.wanted.target).map_err(wrong(self.wanted.target))?;
        let folder = self.wanted.target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(wrong(folder))
    }

    /// True for an HTML page, as portals and proxies answer in place of a file.
    fn looks_like_a_page(&mut self) -> bool {
        let mut head = [0; 64];
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.read(&mut head)).unwrap_or(0);
        let text = String::from_utf8_lossy(&head[..read]).trim_start().to_lowercase();
        text.starts_with("<!doctype") || text.starts_with("<html")
    }

    fn remove(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "the rest of a failed download cannot be removed");
        }
    }
}

impl Drop for Part<'_> {
    /// Removes an empty part: there is nothing to resume.
    fn drop(&mut self) {
        if self.length == 0 {
            self.remove();
        }
    }
}
