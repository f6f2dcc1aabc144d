//! Boxes that a person has removed from the list: what the receiver knows of them goes, and the broker's retained messages of
//! them too. A retained status that the broker keeps all the same does not bring a box back; a message of its own does.

use std::collections::BTreeSet;

use super::{Link, ReceiverError};
use crate::arrival::{Arrival, Sender};
use crate::storage::Storage;

/// Removed boxes that have not spoken since.
#[derive(Debug, Default)]
pub(super) struct Removed {
    boxes: BTreeSet<Sender>,
    /// Number of the last removal that was read.
    last: u64,
}

impl Removed {
    /// Reads the removals of `storage`, where the boxes that are `known` have spoken since.
    pub fn new(storage: &Storage, known: impl Fn(&Sender) -> bool) -> Result<Self, ReceiverError> {
        let mut removed = Self::default();
        removed.read(storage)?;
        removed.boxes.retain(|sender| !known(sender));
        Ok(removed)
    }

    /// Reads new removals. Returns their boxes.
    fn read(&mut self, storage: &Storage) -> Result<Vec<Sender>, ReceiverError> {
        let new = storage.forgotten(self.last)?;
        self.last = new.last().map_or(self.last, |one| one.number);
        let new: Vec<Sender> = new.into_iter().map(|one| one.sender).collect();
        self.boxes.extend(new.iter().cloned());
        Ok(new)
    }

    /// True for a message that the broker had retained of a removed box. Any other brings the box back.
    pub fn drops(&mut self, arrival: &Arrival) -> bool {
        let Some(sender) = &arrival.sender else { return false };
        if arrival.retained {
            return self.boxes.contains(sender);
        }
        self.boxes.remove(sender);
        false
    }

    /// The boxes.
    pub fn boxes(&self) -> impl Iterator<Item = &Sender> {
        self.boxes.iter()
    }
}

impl Link {
    /// Drops the boxes that were removed since the last call.
    pub(super) fn drop_removed(&mut self) -> Result<(), ReceiverError> {
        let storage = self.storage.as_ref().expect("who has it gives it back before anything else happens");
        for sender in self.removed.read(storage)? {
            tracing::warn!(
                "{sender} was removed from the list; the broker's retained messages of it are cleared"
            );
            self.watched.remove(&sender);
            self.twins.remove(&sender);
            self.health.forget(&sender);
            self.bounds.forget(&sender);
            self.acks.clear(&sender);
        }
        Ok(())
    }
}
