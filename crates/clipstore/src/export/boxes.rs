//! Boxes of ISO/IEC 14496-12: read with every length checked, written with every length filled in.

/// A box that breaks the standard, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub String);

/// Type of a box.
pub(super) type Kind = [u8; 4];

/// A [`Kind`] for a person.
pub(super) fn name(kind: Kind) -> String {
    kind.escape_ascii().to_string()
}

/// Bytes that are read from their start; running out of them is an error, not a panic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| Malformed(format!("ends {} bytes early", count - self.0.len())))?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self.bytes(N)?.try_into().expect("N bytes were taken"))
    }

    /// The next 32 bits.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next 64 bits.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    /// Version and flags at the head of a full box.
    pub fn version_and_flags(&mut self) -> Result<(u8, u32), Malformed> {
        let word = self.u32()?;
        Ok(((word >> 24) as u8, word & 0x00ff_ffff))
    }

    /// The next box and its content; `None` at the end.
    pub fn next_box(&mut self) -> Result<Option<(Kind, Cursor<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (size, kind) = (self.u32()?, self.array::<4>()?);
        let payload = match size {
            0 => self.0.len() as u64,
            1 => self.u64()?.checked_sub(16).ok_or_else(|| too_small(kind))?,
            size => u64::from(size).checked_sub(8).ok_or_else(|| too_small(kind))?,
        };
        let payload = usize::try_from(payload).unwrap_or(usize::MAX);
        let inside =
            self.bytes(payload).map_err(|_| Malformed(format!("{} reaches past its end", name(kind))))?;
        Ok(Some((kind, Cursor(inside))))
    }

    /// The first box of `kind`.
    pub fn find(mut self, kind: Kind) -> Result<Option<Cursor<'a>>, Malformed> {
        while let Some((found, inside)) = self.next_box()? {
            if found == kind {
                return Ok(Some(inside));
            }
        }
        Ok(None)
    }

    /// The first box of `kind`; an error without one.
    pub fn need(self, kind: Kind) -> Result<Cursor<'a>, Malformed> {
        self.find(kind)?.ok_or_else(|| Malformed(format!("has no {}", name(kind))))
    }
}

/// The error of a box that is smaller than its own head.
pub(super) fn too_small(kind: Kind) -> Malformed {
    Malformed(format!("{} is smaller than its head", name(kind)))
}

/// Appends a box to `out`; `fill` writes its content.
pub(super) fn put_box(out: &mut Vec<u8>, kind: Kind, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; 4]);
    out.extend(kind);
    fill(out);
    let size = u32::try_from(out.len() - start).expect("tables of one file stay below 4 GiB");
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// Appends a full box to `out`.
pub(super) fn put_full_box(
    out: &mut Vec<u8>,
    kind: Kind,
    version: u8,
    flags: u32,
    fill: impl FnOnce(&mut Vec<u8>),
) {
    put_box(out, kind, |out| {
        put_u32(out, u32::from(version) << 24 | flags);
        fill(out);
    });
}

/// Appends 32 bits.
pub(super) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_be_bytes());
}

/// Appends words of 32 bits.
pub(super) fn put_words<const N: usize>(out: &mut Vec<u8>, words: [u32; N]) {
    out.extend(words.iter().flat_map(|word| word.to_be_bytes()));
}

/// Appends a time: 64 bits in boxes of version 1, else 32.
pub(super) fn put_time(out: &mut Vec<u8>, version: u8, value: u64) {
    match version {
        0 => put_u32(out, u32::try_from(value).unwrap_or(u32::MAX)),
        _ => out.extend(value.to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_read_as_they_were_written() {
        let mut out = Vec::new();
        put_box(&mut out, *b"moov", |out| {
            put_full_box(out, *b"mvhd", 1, 7, |out| put_time(out, 1, 1 << 40));
            put_box(out, *b"free", |out| out.extend(b"abc"));
        });
        let moov = Cursor(&out).need(*b"moov").unwrap();
        let mut mvhd = moov.need(*b"mvhd").unwrap();
        assert_eq!(mvhd.version_and_flags().unwrap(), (1, 7));
        assert_eq!(mvhd.u64().unwrap(), 1 << 40);
        assert_eq!(moov.need(*b"free").unwrap().0, b"abc");
        assert!(moov.find(*b"trak").unwrap().is_none());
    }

    #[test]
    fn lengths_that_lie_are_errors() {
        let cases: [&[u8]; 5] = [
            b"\0\0\0\x09moov",
            b"\0\0\0\x07moov",
            b"\0\0\0\x01moov\0\0\0\0\0\0\0\x0f",
            b"\0\0\0\x01moov\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\0\0\0",
        ];
        for bytes in cases {
            assert!(Cursor(bytes).next_box().is_err(), "{bytes:?}");
        }
    }
}
