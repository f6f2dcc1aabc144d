//! The order in which a full disk is relieved.
//!
//! 1. Footage that no alert pins is deleted, the oldest first.
//! 2. Footage that an alert pins is deleted, the oldest first. Held footage never is ([`crate::retain`]).
//! 3. New footage is refused and counted.
//! 4. An alert is sent before it is stored. The box's alert writer holds those that wait, and gives up none that the broker lacks.

use super::Writer;
use crate::error::StoreError;

/// Bytes that are freed on a full disk beyond those needed, so that it is not full again with the next write.
const RECLAIM_BYTES: u64 = 1024 * 1024;
/// Maximum number of further tries on a disk that is full, freeing more each time.
const RECLAIMS_MAX: u32 = 4;

impl Writer {
    /// Tries `work`; while the disk is full for it, frees `bytes` and more, and tries again.
    pub(super) fn with_space<T>(
        &mut self,
        bytes: u64,
        mut work: impl FnMut(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut reclaims = 0;
        loop {
            match work(self) {
                Err(error) if error.is_disk_full() && reclaims < RECLAIMS_MAX => {
                    let reclaimed = self.space.reclaim((bytes + RECLAIM_BYTES) << reclaims);
                    self.note_deleted();
                    if !reclaimed {
                        return Err(error);
                    }
                    reclaims += 1;
                }
                done => return done,
            }
        }
    }
}
