//! New entries of the database, in order: alerts, notices, late thumbnails; each once.

use std::collections::BTreeSet;

use crate::Storage;
use crate::StorageError;
use crate::storage::{Filter, LateThumbnail, StoredAlert, StoredNotice};
use base::time::WallTime;

/// Maximum number of entries of each kind in one read.
const READ_MAX: usize = 200;

/// Position of a reader.
#[derive(Debug, Default)]
pub struct Follower {
    /// Numbers of the last alert, the last notice and the last late thumbnail.
    alert: u64,
    notice: u64,
    late: u64,
    /// Alerts that were read together with their thumbnails, late or not: these are not reported again.
    pictured: BTreeSet<u64>,
}

/// A new entry.
pub enum Entry {
    /// A stored alert.
    Alert(Box<StoredAlert>),
    /// A notice of the post about a box.
    Notice(StoredNotice),
    /// A thumbnail that came after its alert.
    Late(Box<LateThumbnail>),
}

impl Entry {
    fn at(&self) -> WallTime {
        match self {
            Self::Alert(stored) => stored.received_at,
            Self::Notice(notice) => notice.at,
            Self::Late(late) => late.at,
        }
    }
}

impl Follower {
    /// Starts with the last `last` alerts and notices, and returns these.
    pub fn begin(storage: &Storage, last: usize) -> Result<(Self, Vec<Entry>), StorageError> {
        let newest = |limit: usize| Filter { limit: Some(limit), ..Filter::default() };
        // Late thumbnails first: one that arrives meanwhile is reported, or its alert is here with it.
        let late = storage.last_late_thumbnail()?;
        let alert = storage.alerts(&newest(1))?.last().map_or(0, |stored| stored.number);
        let notice = storage.notices(0, 1)?.last().map_or(0, |notice| notice.number);
        let mut entries = entries(storage.alerts(&newest(last))?, storage.notices(0, last)?, Vec::new());
        // Later arrivals are read next.
        entries.retain(|entry| match entry {
            Entry::Alert(stored) => stored.number <= alert,
            Entry::Notice(one) => one.number <= notice,
            Entry::Late(_) => true,
        });
        let surplus = entries.len().saturating_sub(last);
        entries.drain(..surplus);
        let pictured = entries.iter().filter_map(|entry| match entry {
            Entry::Alert(stored) if has_its_own(stored) => Some(stored.number),
            _ => None,
        });
        let pictured = pictured.collect();
        Ok((Self { alert, notice, late, pictured }, entries))
    }

    /// The entries since the last read, or a part of them; `None` without new ones.
    pub fn read(&mut self, storage: &Storage) -> Result<Option<Vec<Entry>>, StorageError> {
        let filter = Filter { after_number: Some(self.alert), limit: Some(READ_MAX), ..Filter::default() };
        let alerts = storage.alerts(&filter)?;
        let notices = storage.notices(self.notice, READ_MAX)?;
        // After the alerts: the late thumbnails of these are here, too.
        let mut late = storage.late_thumbnails(self.late, READ_MAX)?;
        if alerts.is_empty() && notices.is_empty() && late.is_empty() {
            self.pictured.clear();
            return Ok(None);
        }
        self.alert = alerts.last().map_or(self.alert, |stored| stored.number);
        self.notice = notices.last().map_or(self.notice, |notice| notice.number);
        self.late = late.last().map_or(self.late, |late| late.number);
        self.pictured.extend(alerts.iter().filter(|stored| has_its_own(stored)).map(|stored| stored.number));
        late.retain(|late| !self.pictured.contains(&late.stored.number));
        Ok(Some(entries(alerts, notices, late)))
    }
}

/// True where the message itself has a thumbnail: the closing message of an alert has that of the opening one.
pub fn has_its_own(stored: &StoredAlert) -> bool {
    stored.thumbnail == Some(stored.number)
}

/// Entries in the order of their arrival.
fn entries(alerts: Vec<StoredAlert>, notices: Vec<StoredNotice>, late: Vec<LateThumbnail>) -> Vec<Entry> {
    let alerts = alerts.into_iter().map(|stored| Entry::Alert(Box::new(stored)));
    let late = late.into_iter().map(|late| Entry::Late(Box::new(late)));
    let mut entries: Vec<Entry> = alerts.chain(notices.into_iter().map(Entry::Notice)).chain(late).collect();
    entries.sort_by_key(Entry::at);
    entries
}
