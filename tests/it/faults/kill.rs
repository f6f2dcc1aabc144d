//! kill -9 at random points of the store's life: while it starts, reconciles, records, rotates, stores alerts.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use super::load::{self, Orders, Told};
use super::promise::{Broken, Ledger, check, mend};
use super::{figure, rounds};

const SCENARIO: &str = "kill -9";

#[test]
fn a_process_killed_at_any_point_keeps_the_promise() {
    let place = TempDir::new().unwrap();
    let mut random = StdRng::seed_from_u64(3);
    let (mut ledger, mut broken) = (Ledger::default(), Broken::default());
    let (mut cpu, mut in_start, mut told) = (Duration::ZERO, 0, (0, 0));
    let count = rounds(12, 520);
    for round in 0..count {
        let orders = Orders {
            directory: place.path().to_owned(),
            first: ledger.begin(),
            seed: round.into(),
            open: ledger.open_alerts(),
        };
        let mut running = load::start(&orders, &[], || ());
        // A third of them while it starts.
        let life = if random.random_bool(0.3) { 0..25 } else { 25..1500 };
        let end = Instant::now() + Duration::from_millis(random.random_range(life));
        let mut opened = false;
        while let Ok((one, ())) = running.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            opened |= one == Told::Open;
            ledger.hear(&one);
        }
        assert!(running.process.try_wait().unwrap().is_none(), "it ended by itself");
        running.end();
        // Its reports before it died, to the end of the pipe.
        for (one, ()) in &running.lines {
            opened |= one == Told::Open;
            ledger.hear(&one);
        }
        in_start += u32::from(!opened);

        cpu = cpu.max(mend(place.path()).unwrap());
        let (found, this) = check(place.path(), &ledger, load::CLIP_BYTES_MAX);
        told.0 += ledger.counts().1;
        told.1 = told.1.max(found.fragments.len());
        broken.add(this);
        ledger.learn(&found);
    }
    figure(SCENARIO, "rounds", format!("{count}, {in_start} of them before the store was open"));
    broken.print(SCENARIO);
    figure(SCENARIO, "start-up CPU at most", format!("{:.1} ms", cpu.as_secs_f64() * 1e3));
    broken.assert_nothing();
    assert!(told.0 > 0 && told.1 > 100, "nothing was recorded: {told:?}");
}
