//! Finds pictures in a segment that its header does not describe, for `store check --deep`.

use std::fs::File;
use std::time::Duration;

use super::header::Header;
use super::survey::Survey;
use crate::index::IndexedFragment;
use crate::read::catalogue::ClipFragment;
use crate::write::container::{Start, Walk};
use base::fragment::FragmentStart;
use base::time::WallTime;

/// Returns the start of the first fragment whose pictures do not fit the segment's header, and what is wrong. `None`: all
/// fit, or they cannot be judged (a foreign or damaged file). Damage is reported by other checks.
pub(crate) fn wrong_header(file: &File, fragments: &[IndexedFragment]) -> Option<(WallTime, String)> {
    let Ok(Start::Ours { init_bytes, .. }) = Walk::new(file, 0).ok()?.start() else { return None };
    let mut survey = Survey::new(file).ok()?;
    let init = survey.init(init_bytes).ok()?;
    let mut header = Header::read(&init.descriptions)?;
    for fragment in fragments {
        let row = row_of(fragment);
        let Ok(surveyed) = survey.fragment(&row, &init) else { continue };
        if let Ok(Some(flaw)) = header.flaw(file, surveyed.moof_at, &surveyed.moof) {
            return Some((row.starts_at, flaw));
        }
    }
    None
}

/// A row for [`Survey::fragment`]: only offset, length and hash are read from it there, the zeros and `KeyFrame` are
/// fillers.
fn row_of(fragment: &IndexedFragment) -> ClipFragment {
    ClipFragment {
        offset_bytes: fragment.offset_bytes,
        bytes: fragment.bytes,
        pts_micros: 0,
        duration: Duration::ZERO,
        starts_at: fragment.starts_at,
        sha256: fragment.sha256,
        samples: 0,
        start: FragmentStart::KeyFrame,
    }
}
