//! The log as a person with the rights of its owner changes it.

use std::path::PathBuf;

use super::super::testing::{alert, arrival, sender};
use super::super::{Batch, NewAccess, Verdict};
use super::*;
use base::time::WallTime;

const AT: WallTime = WallTime::from_micros(1_777_673_644_000_000);

struct Post {
    storage: Storage,
    path: PathBuf,
    _place: tempfile::TempDir,
}

impl Post {
    /// A post with one alert, five views of its picture, and a settlement.
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("post.sqlite");
        let mut storage = Storage::open(&path).unwrap();
        let arrivals = vec![arrival(&alert("box-1", 2))];
        storage.take(&Batch { arrivals, ..Batch::default() }).unwrap();
        let mut post = Self { storage, path, _place: place };
        (0..5).for_each(|_| post.look("an"));
        let outbox = post.storage.outboxes(&sender("box-1")).unwrap()[0];
        let verdict = Verdict { who: "an".into(), why: "burnt".into(), at: AT };
        assert_eq!(post.storage.settle(&sender("box-1"), outbox, &verdict).unwrap().len(), 1);
        post
    }

    fn look(&mut self, who: &str) {
        let access = NewAccess { who: who.to_owned(), command: "show", at: AT };
        self.storage.thumbnail(1, &access).unwrap().unwrap();
    }

    fn sql(&self, text: &str) -> rusqlite::Result<()> {
        Connection::open(&self.path).unwrap().execute_batch(text)
    }

    fn faults(&self) -> String {
        self.storage.verify_log(None).unwrap().faults.join("; ")
    }
}

#[test]
fn a_log_to_which_rows_are_only_added_is_whole() {
    let mut post = Post::new();
    let verified = post.storage.verify_log(None).unwrap();
    assert_eq!((verified.end.rows, verified.faults.len()), (6, 0), "{verified:?}");
    assert_eq!(post.storage.close_log().unwrap(), (verified.end.clone(), None));
    assert_eq!(
        std::fs::read_to_string(post.path.with_extension("log-end")).unwrap(),
        format!("{}\n", verified.end)
    );
    post.look("binh");
    assert_eq!(post.storage.verify_log(Some(&verified.end)).unwrap().faults, [""; 0]);
    assert_eq!(verified.end.to_string().parse::<ChainEnd>().unwrap(), verified.end);
}

#[test]
fn rows_are_neither_changed_nor_removed_by_a_plain_statement() {
    let post = Post::new();
    for text in [
        "DELETE FROM access",
        "UPDATE access SET who = 'x'",
        "DELETE FROM settlement",
        "UPDATE settlement SET why = 'x'",
        "DELETE FROM log_chain",
        "UPDATE log_chain SET sha256 = 'x'",
    ] {
        let error = post.sql(text).unwrap_err();
        assert!(error.to_string().contains("only added to"), "{text}: {error}");
    }
    assert_eq!(post.faults(), "");
}

#[test]
fn each_way_to_change_the_log_is_found() {
    let drop = "DROP TRIGGER access_is_kept; DROP TRIGGER access_stays; DROP TRIGGER log_chain_is_kept; \
                DROP TRIGGER log_chain_stays;";
    for (text, said) in [
        ("UPDATE access SET who = 'binh' WHERE number = 2", "row 2 (access 2) was changed"),
        ("DELETE FROM access WHERE number = 2", "row 2 (access 2) was taken out"),
        ("DELETE FROM access WHERE number = 5", "row 5 (access 5) was taken out"),
        (
            "DELETE FROM access WHERE number = 3; DELETE FROM log_chain WHERE number = 3",
            "rows 3 to 3 were taken out; row 4 (access 4) was changed",
        ),
        // The end of the log: only the file knows.
        ("DELETE FROM log_chain WHERE number = 6; DELETE FROM settlement", "only added to"),
        (
            "DELETE FROM log_chain WHERE number >= 4; DELETE FROM access WHERE number >= 4",
            "the log has 3 rows, and had 6",
        ),
        ("DELETE FROM log_chain; DELETE FROM access", "the log has 0 rows, and had 6"),
        (
            "INSERT INTO access (at_us, who, command, ward, box, alert, phase) VALUES (1, 'x', 'show', 'w', 'b', 'a', 'opened')",
            "access 6 was added past wardpost",
        ),
        (
            "INSERT INTO access_expiry (at_us, before_us, last) VALUES (2, 1, 5); DELETE FROM access",
            "access_expiry 1 removed accesses before their time",
        ),
    ] {
        let post = Post::new();
        let found = match post.sql(&format!("{drop} {text}")) {
            Ok(()) => post.faults(),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(said), "{text}: {found}");
    }
}

#[test]
fn a_chain_that_was_computed_anew_is_found_by_the_end_beside_it_or_elsewhere() {
    let mut post = Post::new();
    let known = post.storage.verify_log(None).unwrap().end;
    post.sql(
        "DROP TRIGGER access_stays; DROP TRIGGER log_chain_is_kept;
         UPDATE access SET who = 'binh' WHERE number = 5; DELETE FROM log_chain",
    )
    .unwrap();
    let (_, contradiction) = post.storage.close_log().unwrap();
    assert!(contradiction.unwrap().contains("row 6 is another one"));
    assert!(post.faults().contains("row 6 is another one than by"), "{}", post.faults());
    std::fs::remove_file(post.path.with_extension("log-end")).unwrap();
    assert!(post.faults().contains("is missing"), "{}", post.faults());
    post.storage.close_log().unwrap();
    assert_eq!(post.faults(), "");
    let faults = post.storage.verify_log(Some(&known)).unwrap().faults.join("; ");
    assert!(faults.contains("row 6 is another one than by the end that was given"), "{faults}");
}

#[test]
fn accesses_go_after_two_years_and_the_log_is_whole() {
    let mut post = Post::new();
    let later = AT + LOOKS_KEPT;
    let keep = Duration::from_secs(24 * 3600);
    post.storage.expire(later, keep).unwrap();
    assert_eq!(post.storage.accesses().unwrap().len(), 5);
    post.storage.expire(later + keep, keep).unwrap();
    assert_eq!(post.storage.accesses().unwrap().len(), 0);
    let verified = post.storage.verify_log(None).unwrap();
    assert_eq!((verified.end.rows, verified.faults.len()), (7, 0), "{verified:?}");
}

#[test]
fn rows_of_a_database_of_before_are_covered_when_it_is_brought_up_to_date() {
    let post = Post::new();
    post.sql("DROP TRIGGER log_chain_is_kept; DELETE FROM log_chain").unwrap();
    let Post { storage, path, _place } = post;
    drop(storage);
    std::fs::remove_file(path.with_extension("log-end")).unwrap();
    let mut storage = Storage::open(&path).unwrap();
    let (end, contradiction) = storage.close_log().unwrap();
    assert_eq!((end.rows, contradiction), (6, None));
    assert_eq!(storage.verify_log(None).unwrap().faults, [""; 0]);
}
