//! Room on the disk: the bytes that the database may still take.

use super::{Storage, StorageError};

impl Storage {
    /// Bytes that are free on the database's disk, and inside of the database.
    ///
    /// # Errors
    /// The disk does not answer, or the database cannot be read.
    pub fn room(&self) -> Result<u64, StorageError> {
        let failed =
            |error: rustix::io::Errno| StorageError::Place { path: self.path.clone(), source: error.into() };
        let disk = rustix::fs::statvfs(&self.path).map_err(failed)?;
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let inside = pragma("freelist_count").and_then(|pages| Ok((pages, pragma("page_size")?)));
        let (pages, page_bytes) = inside.map_err(self.failed("read"))?;
        let inside = pages.unsigned_abs().saturating_mul(page_bytes.unsigned_abs());
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize).saturating_add(inside))
    }
}
