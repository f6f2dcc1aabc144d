//! The time by which retention counts. It follows the machine's clock, but by at most two days in a day of running: a clock that
//! leaps years ahead for some hours removes hours' worth of alerts, whatever arrives meanwhile.

use std::time::Duration;

use super::{Storage, StorageError};
use base::time::WallTime;

/// Seconds by which the time may advance in a second of running. Above one, so that it makes up for the time that the post was
/// off.
const RATE: u32 = 2;
/// Key of the time in the table `meta`.
const KEY: &str = "retention_us";

impl Storage {
    /// Removes a part of the expired entries. `elapsed` is the time since the last call by this process, of a clock that nobody
    /// sets. Returns true where there is more to remove.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn retain(
        &mut self,
        keep: Duration,
        wall: WallTime,
        elapsed: Duration,
    ) -> Result<bool, StorageError> {
        let stored = self.meta(KEY)?.map(WallTime::from_micros);
        let begin = match stored {
            Some(stored) => stored,
            // In a database of before, alerts prove that the clock has come as far.
            None => self.last_received()?.unwrap_or(wall),
        };
        let now = wall.min(begin + elapsed * RATE);
        if stored.is_none_or(|stored| stored < now) {
            self.set_meta(KEY, now.as_micros())?;
        }
        self.expire(now, keep)
    }

    fn set_meta(&self, key: &str, value: i64) -> Result<(), StorageError> {
        let text = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
        let written = self.connection.execute(text, rusqlite::params![key, value]);
        written.map(drop).map_err(self.failed("write"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Batch;
    use super::super::testing::{alert, arrival};
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);
    const KEEP: Duration = Duration::from_secs(90 * 24 * 3600);
    const PASS: Duration = Duration::from_secs(12 * 3600);

    /// A post whose clock the test sets.
    struct Post {
        storage: Storage,
        wall: WallTime,
        seq: u64,
        _place: tempfile::TempDir,
    }

    impl Post {
        fn new() -> Self {
            let place = tempfile::tempdir().unwrap();
            let storage = Storage::open(&place.path().join("post.sqlite")).unwrap();
            Self { storage, wall: WallTime::from_micros(1_777_673_644_000_000), seq: 0, _place: place }
        }

        fn receive(&mut self) {
            self.seq += 1;
            let mut arrival = arrival(&alert("box-1", self.seq));
            arrival.at = self.wall;
            self.storage.take(&Batch { arrivals: vec![arrival], ..Batch::default() }).unwrap();
        }

        /// Lets time pass, with a pass of retention twice a day.
        fn run(&mut self, time: Duration) {
            for _ in 0..time.as_secs() / PASS.as_secs() {
                self.wall = self.wall + PASS;
                while self.storage.retain(KEEP, self.wall, PASS).unwrap() {}
            }
        }

        /// Ages of the alerts in days.
        fn ages(&self) -> Vec<u64> {
            let alerts = self.storage.alerts(&super::super::Filter::default()).unwrap();
            alerts.iter().map(|alert| self.wall.since(alert.received_at).as_secs() / DAY.as_secs()).collect()
        }
    }

    #[test]
    fn alerts_stay_for_their_days_and_no_longer() {
        let mut post = Post::new();
        for _ in 0..100 {
            post.receive();
            post.run(DAY);
        }
        assert_eq!(post.ages(), (1..=90).rev().collect::<Vec<u64>>());
    }

    #[test]
    fn a_clock_that_leaps_ten_years_ahead_for_hours_removes_hours_worth() {
        let mut post = Post::new();
        for _ in 0..89 {
            post.receive();
            post.run(DAY);
        }
        let leap = DAY * 3650;
        post.wall = post.wall + leap;
        post.receive();
        post.run(DAY / 2);
        post.wall = post.wall - leap;
        post.run(PASS);
        assert_eq!(post.ages().len(), 90, "{:?}", post.ages());
        // The one of the future stays; the others end as they would have.
        post.run(DAY * 3);
        assert_eq!(post.ages()[..2], [90, 89], "{:?}", post.ages());
    }

    #[test]
    fn restarts_while_the_clock_is_ahead_remove_nothing_more() {
        let mut post = Post::new();
        post.receive();
        post.run(PASS);
        post.wall = post.wall + DAY * 3650;
        for _ in 0..100 {
            post.storage.retain(KEEP, post.wall, Duration::ZERO).unwrap();
        }
        assert_eq!(post.ages().len(), 1);
    }

    #[test]
    fn a_post_that_was_off_for_a_month_makes_up_for_it() {
        let mut post = Post::new();
        post.receive();
        post.run(DAY * 80);
        post.wall = post.wall + DAY * 30;
        post.storage.retain(KEEP, post.wall, Duration::ZERO).unwrap();
        assert_eq!(post.ages(), [110]);
        post.run(DAY * 30);
        assert_eq!(post.ages(), [0u64; 0]);
    }

    #[test]
    fn a_clock_that_was_years_behind_holds_nothing_up() {
        let mut post = Post::new();
        post.receive();
        post.run(DAY * 89);
        let behind = DAY * 3650;
        post.wall = post.wall - behind;
        post.run(DAY);
        post.wall = post.wall + behind;
        assert_eq!(post.ages(), [90]);
        post.run(DAY * 2);
        assert_eq!(post.ages(), [0u64; 0]);
    }
}
