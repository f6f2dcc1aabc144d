//! Report of the faults that opening or repairing a store found and repaired.

use std::fmt;
use std::path::PathBuf;

use crate::error::StoreError;
use base::fault::chain;

/// Faults that opening the store found and repaired.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// The index was lost or damaged, and built again from the clip files.
    pub rebuilt: bool,
    /// New path of the damaged index, if there was one.
    pub damaged_index: Option<PathBuf>,
    /// Alerts that were read out of the damaged index.
    pub recovered_alerts: u64,
    /// Files of which fragments were indexed.
    pub indexed_files: u64,
    /// Fragments that were indexed.
    pub indexed_fragments: u64,
    /// Files that were cut back to their last whole fragment.
    pub cut_files: u64,
    /// Bytes that were cut off.
    pub cut_bytes: u64,
    /// Files of the store without one whole fragment, removed.
    pub removed_files: u64,
    /// Segments without a file, their rows removed.
    pub removed_rows: u64,
    /// Segments with a file that is shorter than the synced bytes; their rows were shortened.
    pub shortened_segments: u64,
    /// Files that are not the store's, or of which nothing is as it was written, quarantined in `aside/`; and copies of files
    /// with footage behind damaged bytes. They do not count towards the limit.
    pub quarantined_files: u64,
    /// Segments with corrected times, since the clock was right later in the same boot.
    pub corrected_segments: u64,
    /// Files that could not be checked, cut, indexed or removed. They stay as they are until the next start.
    pub failed_files: u64,
}

impl Reconciled {
    /// Returns true if everything agreed.
    pub fn all_agreed(&self) -> bool {
        *self == Self::default()
    }

    /// Sum of this and the later `more`.
    pub(crate) fn and(self, more: Self) -> Self {
        Self {
            rebuilt: self.rebuilt || more.rebuilt,
            damaged_index: more.damaged_index.or(self.damaged_index),
            recovered_alerts: more.recovered_alerts,
            indexed_files: more.indexed_files,
            indexed_fragments: more.indexed_fragments,
            cut_files: self.cut_files + more.cut_files,
            cut_bytes: self.cut_bytes + more.cut_bytes,
            removed_files: self.removed_files + more.removed_files,
            removed_rows: self.removed_rows,
            shortened_segments: self.shortened_segments,
            quarantined_files: self.quarantined_files + more.quarantined_files,
            corrected_segments: more.corrected_segments,
            failed_files: more.failed_files,
        }
    }

    /// One bad file does not keep the box from recording.
    pub(super) fn failed(&mut self, error: &StoreError) {
        tracing::warn!("file not repaired, and left as it is until the next start: {}", chain(error));
        self.failed_files += 1;
    }
}

/// One line for a person.
impl fmt::Display for Reconciled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.rebuilt {
            parts.push("built the index again from the clip files".to_owned());
        }
        if let Some(path) = &self.damaged_index {
            let alerts = self.recovered_alerts;
            parts.push(format!("kept the damaged one as {} ({alerts} alerts recovered)", path.display()));
        }
        let mut say = |count: u64, text: String| {
            if count > 0 {
                parts.push(text);
            }
        };
        let files = |count: u64| format!("{count} file{}", if count == 1 { "" } else { "s" });
        let segments = |count: u64| format!("{count} segment{}", if count == 1 { "" } else { "s" });
        let fragments = self.indexed_fragments;
        let plural = if fragments == 1 { "" } else { "s" };
        say(
            fragments,
            format!("indexed {fragments} fragment{plural} of {} again", files(self.indexed_files)),
        );
        say(self.cut_files, format!("cut {} incomplete bytes off {}", self.cut_bytes, files(self.cut_files)));
        say(self.removed_files, format!("removed {} without a complete fragment", files(self.removed_files)));
        say(
            self.removed_rows,
            format!("removed the rows of {} whose files are missing", segments(self.removed_rows)),
        );
        say(
            self.shortened_segments,
            format!("shortened the rows of {} whose files lost bytes", segments(self.shortened_segments)),
        );
        say(
            self.quarantined_files,
            format!("quarantined {} in aside/: not as the store writes files", files(self.quarantined_files)),
        );
        say(self.corrected_segments, format!("corrected the times of {}", segments(self.corrected_segments)));
        say(self.failed_files, format!("left {} unrepaired (see the log)", files(self.failed_files)));
        if parts.is_empty() {
            parts.push("nothing to repair".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}
