//! Tells the file that was written for a row from another one in its place.
//!
//! A header says which segment its file is. Files of the first version have none, and damage can take it: then the
//! sha256 decides that row and trailer have of the file from its start to a fragment's end, where both agree.

use std::fs::File;
use std::io;

use crate::index::{IndexedFragment, Origin};
use crate::write::container::{self, SegmentHeader, Start, Walk};

/// Result of [`identify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The file that was written for the row.
    Own,
    /// The file of another segment, with its description.
    Other(String),
    /// Neither can be proved.
    Unproven,
}

/// Compares a file with the row of `origin` and its fragments.
pub(crate) fn identify(file: &File, origin: &Origin, indexed: &[IndexedFragment]) -> io::Result<Identity> {
    let mut walk = Walk::new(file, 0)?;
    if let Start::Ours { header, .. } = walk.start()? {
        return Ok(difference(&header, origin).map_or(Identity::Own, Identity::Other));
    }
    for row in indexed {
        let trailer = walk.trailer(row.offset_bytes + row.bytes)?;
        if trailer.is_some_and(|(trailer, _)| trailer.sha256 == row.sha256) {
            return Ok(Identity::Own);
        }
    }
    let first = indexed.first().map(|row| (row.offset_bytes + row.bytes, row.sha256));
    let is_proved = first.is_some() && container::count_verified(file, first)? == 1;
    Ok(if is_proved { Identity::Own } else { Identity::Unproven })
}

/// Describes the segment of `header` if it is not that of the row of `origin`.
pub(crate) fn difference(header: &SegmentHeader, origin: &Origin) -> Option<String> {
    if header.camera != origin.camera {
        return Some(format!(
            "another clip file is in this place: it is of camera {}, the index expects one of camera {}",
            header.camera, origin.camera
        ));
    }
    let is_same = header.boot_id == origin.boot_id
        && header.epoch == origin.epoch
        && header.starts_at.monotonic == origin.starts_at;
    (!is_same).then(|| {
        format!(
            "another clip file of camera {} is in this place: its footage begins at {}",
            header.camera, header.starts_at.wall
        )
    })
}
