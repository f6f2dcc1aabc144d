//! Comparison of the post's messages with those on the boxes' disks.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rusqlite::Connection;

use super::boxes::{Kept, print_of};
use super::tail::Journey;

/// A message as the post has it: with its number, or sent before it was stored.
#[derive(Debug)]
pub struct Stored {
    pub seq: u64,
    pub id: String,
    pub phase: String,
    pub received_us: i64,
    /// `print_of` of its picture.
    pub picture: u64,
}

/// Results for all boxes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub kept: usize,
    pub stored: usize,
    /// Messages that were kept and are not at the post.
    pub lost: usize,
    /// Numbers that more than one message has, and messages that are there more than once.
    pub twice: usize,
    /// Numbers up to the last one given that the post does not have.
    pub holes: usize,
    /// Messages with another content, or another number, than the box has kept.
    pub wrong: usize,
    /// Messages that came without their picture.
    pub without_picture: usize,
    /// Messages stored after one that the same box kept later.
    pub out_of_order: usize,
    /// Delivery times of all messages that arrived.
    pub journeys: Vec<Journey>,
}

/// Messages of each box, in the order of storing.
pub fn stored(database: &Path) -> BTreeMap<String, Vec<Stored>> {
    let connection = Connection::open(database).unwrap();
    let mut select = connection
        .prepare(
            "SELECT box, seq, id, phase, received_us, jpeg FROM alert
             LEFT JOIN thumbnail ON thumbnail.alert = number ORDER BY number",
        )
        .unwrap();
    let row = |row: &rusqlite::Row<'_>| {
        let picture: Option<Vec<u8>> = row.get(5)?;
        let seq: i64 = row.get(1)?;
        let stored = Stored {
            seq: seq.unsigned_abs(),
            id: row.get(2)?,
            phase: row.get(3)?,
            received_us: row.get(4)?,
            picture: print_of(picture.as_deref()),
        };
        Ok((row.get::<_, String>(0)?, stored))
    };
    let mut boxes = BTreeMap::<String, Vec<Stored>>::new();
    for one in select.query_map([], row).unwrap() {
        let (box_id, stored) = one.unwrap();
        boxes.entry(box_id).or_default().push(stored);
    }
    boxes
}

impl Verdict {
    /// Adds the messages of box number `which`, which has given the numbers up to `last`.
    pub fn of(&mut self, which: usize, kept: &[Kept], stored: &[Stored], last: u64) {
        let mut by_seq = HashMap::<u64, &Stored>::new();
        let mut by_name = HashMap::<(&str, &str), usize>::new();
        let mut highest = 0;
        for one in stored {
            *by_name.entry((&one.id, &one.phase)).or_default() += 1;
            self.twice += usize::from(by_seq.insert(one.seq, one).is_some());
            self.out_of_order += usize::from(one.seq < highest);
            highest = highest.max(one.seq);
        }
        self.twice += by_name.values().filter(|count| **count > 1).count();
        self.holes += (1..=last).filter(|seq| !by_seq.contains_key(seq)).count();
        self.wrong += stored.iter().filter(|one| !(1..=last).contains(&one.seq)).count();
        self.kept += kept.len();
        self.stored += stored.len();
        for one in kept {
            match by_seq.get(&one.seq) {
                None => self.lost += 1,
                Some(there) if (&there.id, &there.phase) != (&one.id, &one.phase) => {
                    self.wrong += 1;
                    self.lost += usize::from(!by_name.contains_key(&(&*one.id, &*one.phase)));
                }
                Some(there) => {
                    self.without_picture += usize::from(there.picture == 0 && one.picture != 0);
                    self.wrong += usize::from(there.picture != 0 && there.picture != one.picture);
                    let (kept_us, stored_us) = (one.at_us, there.received_us);
                    self.journeys.push(Journey { which, seq: one.seq, kept_us, stored_us });
                }
            }
        }
    }

    /// Returns true if every message that was kept is there once, and nothing else is.
    pub fn is_good(&self) -> bool {
        (self.lost, self.twice, self.holes, self.wrong) == (0, 0, 0, 0)
    }
}

/// The post's own counts: repetitions, contradictions, refused messages.
pub fn counted(database: &Path) -> (i64, i64, i64) {
    let connection = Connection::open(database).unwrap();
    let sum = "SELECT sum(duplicates), sum(conflicts), sum(refused) FROM box";
    connection.query_row(sum, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
}

#[test]
fn the_judge_sees_what_is_lost_and_what_is_there_twice() {
    let kept = |seq: u64| Kept { seq, id: format!("a{seq}"), phase: "opened".into(), at_us: 0, picture: 7 };
    let there = |seq: u64, id: &str| Stored {
        seq,
        id: id.to_owned(),
        phase: "opened".into(),
        received_us: 5,
        picture: 7,
    };
    let verdict = |stored: &[Stored]| {
        let mut verdict = Verdict::default();
        verdict.of(0, &[kept(1), kept(2)], stored, 3);
        verdict
    };
    let good = verdict(&[there(3, "a3"), there(1, "a1"), there(2, "a2")]);
    assert!(
        good.is_good() && good.out_of_order == 2 && good.journeys.iter().all(|one| one.took_us() == 5),
        "{good:?}"
    );
    let lost = verdict(&[there(1, "a1"), there(3, "a3")]);
    assert_eq!((lost.lost, lost.holes), (1, 1));
    let hole = verdict(&[there(1, "a1"), there(2, "a2")]);
    assert_eq!((hole.lost, hole.holes), (0, 1));
    let twice = verdict(&[there(1, "a1"), there(2, "a2"), there(3, "a2")]);
    assert_eq!(twice.twice, 1);
    let unsaved = verdict(&[there(0, "a0"), there(1, "a1"), there(2, "a2"), there(3, "a3")]);
    assert_eq!(unsaved.wrong, 1, "an unsaved alert that never got its number");
    let mixed = verdict(&[there(1, "a2"), there(2, "a1"), there(3, "a3")]);
    assert_eq!((mixed.lost, mixed.wrong), (0, 2));
    let mut bare = [there(1, "a1"), there(2, "a2"), there(3, "a3")];
    bare[1].picture = 0;
    assert_eq!(verdict(&bare).without_picture, 1);
}
