//! What Linux knows about a process: its peak of memory and its CPU time.

use std::fs;
use std::time::Duration;

/// Peak resident memory in KiB (`VmHWM`).
/// <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>
pub fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// CPU time of all living threads, to the nanosecond where `/proc/<pid>/stat` would count in ticks of 10 ms.
/// <https://docs.kernel.org/scheduler/sched-stats.html>
pub fn cpu(process: u32) -> Option<Duration> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let spent = threads.flatten().filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Some(Duration::from_nanos(spent.sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_memory_and_time() {
        assert!(peak(std::process::id()).unwrap() > 100);
        assert!(cpu(std::process::id()).unwrap() > Duration::ZERO);
        assert_eq!(peak(u32::MAX), None);
    }
}
