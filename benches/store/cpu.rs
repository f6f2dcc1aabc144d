//! CPU time of this process and of others, exact to the scheduler's nanosecond.

use std::fs;
use std::time::Duration;

/// CPU time that process `pid` has used since it started: the sum over the threads that it has now.
///
/// Clock ticks in /proc/PID/stat are too coarse for a session that uses a hundredth of a core; threads that ended in
/// between are missing, and neither a session nor a store ends threads while it works.
pub fn of_process(pid: u32) -> Duration {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Duration::ZERO };
    threads
        .filter_map(|entry: std::io::Result<fs::DirEntry>| {
            let text = fs::read_to_string(entry.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
        })
        .sum()
}

/// The children that process `pid` has now.
pub fn children(pid: u32) -> Vec<u32> {
    let parent_of = |child: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
        // The name before it may hold anything, so count from its closing bracket: state, parent.
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let processes = fs::read_dir("/proc").unwrap();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|child| parent_of(*child) == Some(pid)).collect()
}

/// Proportional set size in bytes: memory that processes share counts once among them.
pub fn memory(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
