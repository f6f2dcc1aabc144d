//! The machine's wall and boot clocks. The only place that reads them; pure code gets times as arguments.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::time::{ClockState, Monotonic, Stamp, WallTime};

/// Source of the time. Tests pass one of their own.
pub trait Clock: Send + Sync {
    /// Both clocks now, and how far the wall clock can be trusted.
    fn now(&self) -> Stamp;
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Stamp {
        Stamp { wall: wall(), monotonic: monotonic(), clock: clock_state() }
    }
}

/// Wall time (CLOCK_REALTIME).
pub fn wall() -> WallTime {
    let now = clock_gettime(ClockId::Realtime);
    WallTime::from_micros(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)
}

/// Time since boot, suspend included (CLOCK_BOOTTIME, not CLOCK_MONOTONIC).
pub fn monotonic() -> Monotonic {
    let now = clock_gettime(ClockId::Boottime);
    let span = Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0));
    Monotonic::from_nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

/// CPU time that the calling thread has used (CLOCK_THREAD_CPUTIME_ID).
pub fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// State of the wall clock: set by a time source or not, by the kernel's flag (chrony, ntpd, systemd-timesyncd) and
/// systemd-timesyncd's file.
///
/// The kernel alone cannot tell "never synchronised" from "no longer synchronised"; if timesyncd's file is there but the
/// kernel says unsynchronised, it is holdover.
fn clock_state() -> ClockState {
    let was_synced = std::path::Path::new("/run/systemd/timesync/synchronized").exists();
    match (kernel_synced(), was_synced) {
        (true, _) => ClockState::Synced,
        (false, true) => ClockState::Holdover,
        (false, false) => ClockState::Unsynced,
    }
}

/// adjtimex(2) without STA_UNSYNC.
#[expect(unsafe_code, reason = "no safe crate in the tree wraps adjtimex")]
fn kernel_synced() -> bool {
    // SAFETY: a zeroed timex (modes = 0) only reads; the kernel fills the struct that we own.
    let status = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&mut timex) >= 0).then_some(timex.status)
    };
    status.is_some_and(|status| status & libc::STA_UNSYNC == 0)
}

/// Id of the current boot: the kernel's random id, in text; "unknown" where /proc cannot be read.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_forward_and_knows_its_boot() {
        let (a, b) = (SystemClock.now(), SystemClock.now());
        assert!(b.monotonic >= a.monotonic && thread_cpu() > Duration::ZERO);
        assert!(a.wall > WallTime::from_micros(1_700_000_000_000_000));
        assert_eq!(boot_id().len(), 36);
    }
}
