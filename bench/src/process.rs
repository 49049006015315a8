//! What Linux knows about a process: its peak of memory and its CPU time.

use std::fs;
use std::time::Duration;

/// Peak resident memory in KiB (`VmHWM`).
/// <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>
pub fn peak(process: u32) -> Option<u64> {
    kibibytes(process, "VmHWM:")
}

/// Resident memory in KiB (`VmRSS`).
pub fn resident(process: u32) -> Option<u64> {
    kibibytes(process, "VmRSS:")
}

fn kibibytes(process: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// A process and all that it has started, and they, in turn.
pub fn family(process: u32) -> Vec<u32> {
    let mut all = vec![process];
    let mut at = 0;
    while let Some(parent) = all.get(at).copied() {
        at += 1;
        let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        for children in threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok()) {
            all.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    all
}

/// A process's name, of at most 15 bytes.
pub fn name(process: u32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{process}/comm")).ok()?.trim().to_owned())
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
        assert!(resident(std::process::id()).unwrap() <= peak(std::process::id()).unwrap());
    }

    #[test]
    fn a_child_is_of_the_family_and_has_a_name() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let family = family(std::process::id());
        assert!(family.contains(&child.id()), "{family:?}");
        assert_eq!(name(child.id()).as_deref(), Some("sleep"));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
