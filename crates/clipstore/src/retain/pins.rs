//! Footage that alerts pin, in memory: read from the index at the start, updated with each stored alert.

use std::collections::HashMap;
use std::time::Duration;

use crate::index::PinRow;
use crate::retain::retention::{FOREVER, Pin};
use crate::retain::segment_list::SegmentList;
use base::alert::AlertDraft;
use base::ids::AlertId;

/// Length of footage that an event pins if an earlier run left it open: the power went while it lasted, and nothing will
/// ever close it.
const LEFT_OPEN: Duration = Duration::from_secs(3600);

/// Pins of all alerts.
#[derive(Debug, Default)]
pub(super) struct Pins {
    /// By alert.
    pins: HashMap<AlertId, Pin>,
}

impl Pins {
    /// Pins that earlier runs have left.
    pub fn new(rows: Vec<PinRow>, list: &mut SegmentList) -> Self {
        let pin = |row: PinRow| {
            let pin = Pin {
                seq: row.seq,
                camera: list.camera(&row.camera),
                from: row.from,
                to: row.to.unwrap_or(row.opened_at + LEFT_OPEN),
                opened_at: row.opened_at,
                since: row.closed_at.unwrap_or(row.opened_at),
                clock: row.clock,
            };
            (row.alert, pin)
        };
        Self { pins: rows.into_iter().map(pin).collect() }
    }

    /// Notes that an alert is stored at `seq`; its event was noted before, or is new. Returns its pin, if that has changed.
    pub fn note(&mut self, draft: &AlertDraft, seq: u64, list: &mut SegmentList) -> Option<Pin> {
        let event = &draft.event;
        let before = self.pins.get(&event.id).copied();
        let opened_at = event.opened_at.wall;
        let pin = self.pins.entry(event.id).or_insert_with(|| Pin {
            seq,
            camera: list.camera(&event.camera),
            from: draft.clip.starts_at,
            to: FOREVER,
            opened_at,
            since: opened_at,
            clock: event.opened_at.clock,
        });
        if let Some(ends_at) = draft.clip.ends_at {
            pin.to = ends_at;
        }
        if let Some(closed_at) = event.closed_at {
            pin.since = closed_at.wall;
        }
        (before != Some(*pin)).then_some(*pin)
    }

    /// Takes the rows after their times were corrected. A pin that is open stays open.
    pub fn retime(&mut self, rows: Vec<PinRow>) {
        for row in rows {
            let Some(pin) = self.pins.get_mut(&row.alert) else { continue };
            (pin.from, pin.opened_at, pin.clock) = (row.from, row.opened_at, row.clock);
            pin.since = row.closed_at.unwrap_or(row.opened_at);
            pin.to = match row.to {
                Some(to) => to,
                None if pin.to == FOREVER => FOREVER,
                None => row.opened_at + LEFT_OPEN,
            };
        }
    }

    /// Forgets an alert that is no longer in the index.
    pub fn forget(&mut self, alert: AlertId) {
        self.pins.remove(&alert);
    }

    /// All pins, from the oldest to the youngest, with the alert of each.
    pub fn in_order(&self) -> (Vec<Pin>, Vec<AlertId>) {
        let mut pins: Vec<(&AlertId, &Pin)> = self.pins.iter().collect();
        pins.sort_unstable_by_key(|(_, pin)| pin.seq);
        pins.into_iter().map(|(alert, pin)| (*pin, *alert)).unzip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{START, draft};
    use base::event::Phase;

    #[test]
    fn an_alert_pins_without_end_until_it_closes() {
        let mut list = SegmentList::new("/c".into(), Vec::new());
        let mut pins = Pins::default();
        let mut alert = draft("gate");
        assert!(pins.note(&alert, 4, &mut list).is_some());
        assert!(pins.note(&alert, 4, &mut list).is_none());
        assert_eq!(pins.in_order().0[0].to, FOREVER);

        let end = START + Duration::from_secs(30);
        (alert.event.phase, alert.event.closed_at) = (Phase::Closed, Some(end));
        alert.clip.ends_at = Some(end.wall + Duration::from_secs(5));
        pins.note(&alert, 9, &mut list);
        let (all, ids) = pins.in_order();
        assert_eq!((all.len(), all[0].seq, ids[0]), (1, 4, alert.event.id));
        assert_eq!((all[0].from, all[0].to), (alert.clip.starts_at, end.wall + Duration::from_secs(5)));
        assert_eq!(all[0].since, end.wall);
        pins.forget(alert.event.id);
        assert!(pins.in_order().0.is_empty());
    }

    #[test]
    fn what_an_earlier_run_left_open_pins_an_hour() {
        let mut list = SegmentList::new("/c".into(), Vec::new());
        let row = PinRow {
            alert: AlertId::new(1),
            seq: 1,
            camera: "gate".parse().unwrap(),
            from: START.wall,
            to: None,
            opened_at: START.wall,
            closed_at: None,
            clock: START.clock,
        };
        let (pins, _) = Pins::new(vec![row], &mut list).in_order();
        assert_eq!(pins[0].to, START.wall + LEFT_OPEN);
    }
}
