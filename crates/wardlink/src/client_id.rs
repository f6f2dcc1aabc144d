//! The MQTT client id of the box: ward and box, or the box alone. The short one is for brokers whose access list has only the
//! box's id, as previous versions used it. Pure.

use super::settings::Settings;

/// Consecutive connections without a granted subscription after which the other id is tried.
const UNGRANTED_MAX: u32 = 3;

/// The client id in use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ClientId {
    /// The id is the box's id alone.
    is_short: bool,
    ungranted: u32,
    /// Changes of the id since the broker last granted a subscription.
    changes: u32,
}

impl ClientId {
    /// The id, of at most 65 of a-z, 0-9, - and _: every broker in use accepts that many.
    pub fn of(&self, settings: &Settings) -> String {
        if self.is_short { settings.box_id.to_string() } else { settings.client_id() }
    }

    /// The broker grants the subscription: this id stays.
    pub fn granted(&mut self) {
        (self.ungranted, self.changes) = (0, 0);
    }

    /// The broker refuses the id, or the subscription under it.
    pub fn refused(&mut self) {
        self.change();
    }

    /// True where [`ClientId::refused`] would still try the other id.
    pub fn is_worth_a_change(&self) -> bool {
        self.changes < 2
    }

    /// A connection has ended before the broker granted the subscription.
    pub fn ungranted(&mut self) {
        self.ungranted += 1;
        if self.ungranted >= UNGRANTED_MAX {
            self.change();
        }
    }

    /// Another client uses this id. Only the long one belongs to this box alone, so the box returns to it.
    pub fn taken_over(&mut self) {
        *self = Self::default();
    }

    /// Changes to the other id. Each is tried once; afterwards the long one stays, since the id is not the reason.
    fn change(&mut self) {
        self.ungranted = 0;
        if self.is_worth_a_change() {
            self.changes += 1;
            self.is_short = !self.is_short;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_alone_is_tried_where_the_broker_refuses_ward_and_box() {
        let mut id = ClientId::default();
        id.refused();
        assert!(id.is_short);
        id.granted();
        assert!(id.is_short, "it stays so while the broker grants it");
        id.refused();
        assert!(!id.is_short, "somebody has changed the access list");
    }

    #[test]
    fn where_both_are_refused_the_id_is_not_the_reason() {
        let mut id = ClientId::default();
        let shorts = [(); 4].map(|()| {
            id.refused();
            id.is_short
        });
        assert_eq!(shorts, [true, false, false, false]);
        assert!(!id.is_worth_a_change());
    }

    #[test]
    fn one_broken_connection_changes_nothing() {
        let mut id = ClientId::default();
        (0..2).for_each(|_| id.ungranted());
        id.granted();
        (0..2).for_each(|_| id.ungranted());
        assert!(!id.is_short);
        id.ungranted();
        assert!(id.is_short);
        id.taken_over();
        assert_eq!(id, ClientId::default());
    }
}
