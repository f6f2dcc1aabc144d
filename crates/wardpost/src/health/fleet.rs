//! Health of all boxes, from message to message.

use std::collections::BTreeMap;

use super::{Change, Judge, Standing, Trouble};
use crate::arrival::{Arrival, Content, Sender};
use crate::storage::{Batch, BoxState, Notice, NoticeKind};
use base::time::{Monotonic, WallTime};

/// A judge for each box.
#[derive(Debug, Default)]
pub struct Fleet {
    boxes: BTreeMap<Sender, Followed>,
}

#[derive(Debug, Default)]
struct Followed {
    judge: Judge,
    /// Troubles as they are stored.
    stored: Vec<Standing>,
}

impl Fleet {
    /// The boxes with their troubles as they are stored.
    pub fn new(known: &[BoxState]) -> Self {
        let followed = |known: &BoxState| Followed {
            judge: Judge::new(known.health.clone()),
            stored: known.health.clone(),
        };
        Self { boxes: known.iter().map(|known| (known.sender.clone(), followed(known))).collect() }
    }

    /// Takes a message of a box.
    pub fn arrived(&mut self, arrival: &Arrival, now: Monotonic) {
        let Some(sender) = &arrival.sender else { return };
        match &arrival.content {
            Content::Status(status) => self.judge(sender).status(status, now),
            Content::Vitals(vitals) => self.judge(sender).vitals(vitals, arrival.at, now),
            Content::Alert(_) | Content::Still(_) | Content::Refused(_) => {}
        }
    }

    /// Takes the boxes that exceed the post's bounds.
    pub fn bounds(&mut self, exceeded: &BTreeMap<&Sender, Trouble>, now: Monotonic) {
        // A box that sends alerts alone is not followed yet.
        for sender in exceeded.keys() {
            self.boxes.entry((*sender).clone()).or_default();
        }
        for (sender, followed) in &mut self.boxes {
            followed.judge.bounds(exceeded.get(sender), now);
        }
    }

    /// Drops a box.
    pub fn forget(&mut self, sender: &Sender) {
        self.boxes.remove(sender);
    }

    /// Advances the time. Adds to `batch` the changes of boxes that are `here`: nothing is known of the others.
    pub fn pass(&mut self, here: impl Fn(&Sender) -> bool, at: WallTime, now: Monotonic, batch: &mut Batch) {
        for (sender, followed) in &mut self.boxes {
            if !here(sender) {
                followed.judge.absent();
                continue;
            }
            let change = followed.judge.pass(at, now);
            batch.notices.extend(notices(sender, &change, at));
            if followed.judge.standing() != followed.stored {
                followed.stored = followed.judge.standing().to_vec();
                batch.health.push((sender.clone(), followed.stored.clone()));
            }
        }
    }

    fn judge(&mut self, sender: &Sender) -> &mut Judge {
        &mut self.boxes.entry(sender.clone()).or_default().judge
    }
}

/// Notices of a change: one of what begins, one of what ends.
fn notices(sender: &Sender, change: &Change, at: WallTime) -> Vec<Notice> {
    let mut notices = Vec::new();
    if !change.begun.is_empty() {
        let detail = json(&change.begun);
        tracing::warn!("{sender} has trouble: {detail}");
        notices.push(Notice { at, kind: NoticeKind::Trouble(sender.clone()), detail: Some(detail) });
    }
    if !change.ended.is_empty() {
        let detail = json(&change.ended);
        tracing::info!("{sender} has no more trouble of these: {detail}");
        notices.push(Notice { at, kind: NoticeKind::Well(sender.clone()), detail: Some(detail) });
    }
    notices
}

fn json(troubles: &[Trouble]) -> String {
    serde_json::to_string(troubles).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Limit;

    #[test]
    fn a_box_that_sends_alerts_alone_has_the_trouble_too() {
        let sender = Sender { ward: "ben-nghe".parse().unwrap(), box_id: "box-2".parse().unwrap() };
        let trouble = Trouble::TooMuch { limit: Limit::Wards, refused: 9 };
        let (mut fleet, mut batch) = (Fleet::default(), Batch::default());
        let now = Monotonic::from_nanos(0);
        fleet.bounds(&BTreeMap::from([(&sender, trouble.clone())]), now);
        fleet.pass(|_| true, WallTime::from_micros(0), now, &mut batch);
        assert_eq!(batch.health.len(), 1);
        assert_eq!((&batch.health[0].0, &batch.health[0].1[0].trouble), (&sender, &trouble));
    }
}
