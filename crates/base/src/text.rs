//! Text files as editors write them: read as UTF-8, or refused with the name of their encoding. A leaf, since
//! every configuration, password, key and certificate is such a file. Reads files, and changes none.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

/// Instruction for a person to convert a file in another encoding.
pub const REMEDY: &str = "save it again with the encoding UTF-8 (\"Save as\" of the editor), or write it anew with \
                          `iconv -f ENCODING -t UTF-8 FILE > NEWFILE`";

/// Number of bytes at the start of a file that are searched for zeros.
const SAMPLE_BYTES: usize = 1024;
/// Maximum length of a text file: every configuration, key and certificate is far below it.
const BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The byte order mark of UTF-8, which some editors write.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// An encoding that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// UTF-16, least significant byte first.
    Utf16Le,
    /// UTF-16, most significant byte first.
    Utf16Be,
    /// UTF-32 of either order.
    Utf32,
    /// One byte a letter; `byte` stands on `line`.
    EightBit {
        /// The first byte that is no UTF-8.
        byte: u8,
        /// The line that it is on, from 1.
        line: usize,
    },
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf16Le => f.write_str("its encoding is UTF-16 (UTF-16LE), not UTF-8"),
            Self::Utf16Be => f.write_str("its encoding is UTF-16 (UTF-16BE), not UTF-8"),
            Self::Utf32 => f.write_str("its encoding is UTF-32, not UTF-8"),
            // Without the byte: it may be a password's.
            Self::EightBit { line, .. } => write!(
                f,
                "its encoding is not UTF-8: a letter on line {line} is of an older one, as WINDOWS-1258, WINDOWS-1252 or \
                 ISO-8859-1"
            ),
        }
    }
}

impl std::error::Error for Foreign {}

/// Reads a text file, without the byte order mark.
///
/// # Errors
/// The system's error, or [`Foreign`] inside of an error of kind `InvalidData`; a pipe, a device, or a file too large for text,
/// which could hold up the reader for ever or take all memory.
pub fn read(path: &Path) -> io::Result<String> {
    let found = fs::metadata(path)?;
    if !found.is_file() && !found.is_dir() {
        return Err(io::Error::other("it is a pipe, a socket or a device, not a file"));
    }
    if found.len() > BYTES_MAX && found.is_file() {
        return Err(io::Error::other(format!(
            "it has {} bytes, and no such text has over {BYTES_MAX}",
            found.len()
        )));
    }
    decode(fs::read(path)?).map_err(|foreign| io::Error::new(io::ErrorKind::InvalidData, foreign))
}

/// The text of these bytes, without the byte order mark.
///
/// # Errors
/// Their encoding, if it is not UTF-8.
pub fn decode(mut bytes: Vec<u8>) -> Result<String, Foreign> {
    if let Some(foreign) = foreign(&bytes) {
        return Err(foreign);
    }
    if bytes.starts_with(MARK) {
        bytes.drain(..MARK.len());
    }
    String::from_utf8(bytes).map_err(|error| eight_bit(error.as_bytes(), error.utf8_error().valid_up_to()))
}

/// The encoding of these bytes, where it is not UTF-8.
pub fn foreign(bytes: &[u8]) -> Option<Foreign> {
    if bytes.starts_with(b"\xff\xfe\0\0") || bytes.starts_with(b"\0\0\xfe\xff") {
        return Some(Foreign::Utf32);
    }
    if bytes.starts_with(b"\xff\xfe") {
        return Some(Foreign::Utf16Le);
    }
    if bytes.starts_with(b"\xfe\xff") {
        return Some(Foreign::Utf16Be);
    }
    if let Some(by_zeros) = by_zeros(&bytes[..bytes.len().min(SAMPLE_BYTES)]) {
        return Some(by_zeros);
    }
    std::str::from_utf8(bytes).err().map(|error| eight_bit(bytes, error.valid_up_to()))
}

/// The remedy, where the error is about an encoding.
pub fn remedy(error: &io::Error) -> Option<&'static str> {
    error.get_ref()?.is::<Foreign>().then_some(REMEDY)
}

/// The encoding of text without a mark, by the zero bytes of plain letters: text in UTF-8 has none.
fn by_zeros(sample: &[u8]) -> Option<Foreign> {
    let zeros = |at: usize| sample.iter().skip(at).step_by(4).filter(|byte| **byte == 0).count();
    let places = [0, 1, 2, 3].map(zeros);
    let quarter = sample.len() / 4;
    let most = |count: usize| quarter > 0 && count * 2 > quarter;
    match places.map(most) {
        [true, true, true, false] | [false, true, true, true] => Some(Foreign::Utf32),
        [false, true, false, true] => Some(Foreign::Utf16Le),
        [true, false, true, false] => Some(Foreign::Utf16Be),
        _ => None,
    }
}

fn eight_bit(bytes: &[u8], at: usize) -> Foreign {
    let line = bytes.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    Foreign::EightBit { byte: bytes.get(at).copied().unwrap_or_default(), line }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[box]\nward = \"ben-nghe\"\nname = \"Cổng chợ Bến Nghé\"\n";

    fn utf16(order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        TEXT.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn utf_16_is_named_with_and_without_its_mark() {
        let marked = |mark: &[u8], rest: Vec<u8>| [mark, &rest[..]].concat();
        for (bytes, expected) in [
            (utf16(u16::to_le_bytes), Foreign::Utf16Le),
            (utf16(u16::to_be_bytes), Foreign::Utf16Be),
            (marked(b"\xff\xfe", utf16(u16::to_le_bytes)), Foreign::Utf16Le),
            (marked(b"\xfe\xff", utf16(u16::to_be_bytes)), Foreign::Utf16Be),
            (TEXT.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(), Foreign::Utf32),
            (TEXT.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(), Foreign::Utf32),
        ] {
            assert_eq!(decode(bytes), Err(expected));
            assert!(expected.to_string().contains("UTF-"));
        }
    }

    #[test]
    fn an_older_encoding_is_named_with_its_line() {
        for (byte, name) in [(0xea, "Windows-1258"), (0xe9, "ISO-8859-1"), (0x93, "Windows-1252")] {
            let bytes = [b"[box]\nname = \"B".as_slice(), &[byte], b"n\"\n"].concat();
            assert_eq!(decode(bytes), Err(Foreign::EightBit { byte, line: 2 }), "{name}");
        }
    }

    #[test]
    fn utf_8_is_read_with_and_without_its_mark() {
        assert_eq!(decode(TEXT.into()).as_deref(), Ok(TEXT));
        assert_eq!(decode([MARK, TEXT.as_bytes()].concat()).as_deref(), Ok(TEXT));
        assert_eq!(decode(Vec::new()).as_deref(), Ok(""));
        assert_eq!(decode(b"a".to_vec()).as_deref(), Ok("a"));
        // A disk that lost power while it wrote.
        let zeros = [TEXT.as_bytes(), &[0; 64]].concat();
        assert!(decode(zeros).is_ok());
    }

    #[test]
    fn a_file_says_what_to_do() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.toml");
        fs::write(&path, utf16(u16::to_le_bytes)).unwrap();
        let error = read(&path).unwrap_err();
        assert_eq!(remedy(&error), Some(REMEDY));
        assert!(error.to_string().contains("UTF-16"), "{error}");
        assert_eq!(remedy(&read(&place.path().join("none")).unwrap_err()), None);
        let error = read(Path::new("/dev/zero")).unwrap_err();
        assert!(error.to_string().contains("a device, not a file"), "{error}");
        let pipe = place.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        assert!(read(&pipe).unwrap_err().to_string().contains("it is a pipe"));
        fs::File::create(&path).unwrap().set_len(BYTES_MAX + 1).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("it has 16777217 bytes"));
    }
}
