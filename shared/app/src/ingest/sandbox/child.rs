//! The process that is a reader: it walls itself in, reads the document on its standard input, writes the spool to its
//! standard output, and ends.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, getrlimit, setrlimit};

use super::Order;
use super::verdict::{CANNOT_WRITE, MISUNDERSTOOD, UNFIT};

/// Address space besides the memory that may be written: the binary itself, stacks, what the allocator sets aside.
const ADDRESS_SPACE_SPARE_BYTES: u64 = 1024 * 1024 * 1024;

/// Gives the exit status.
pub fn run(order: Option<OsString>) -> i32 {
    let order = order.and_then(|order| serde_json::from_str::<Order>(order.to_str()?).ok());
    let Some(order) = order else { return MISUNDERSTOOD };
    // Where a parser panicked helps; what it said may quote the document.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(io::stderr(), "panicked at {place}");
    }));
    let (Ok(document), Ok(spool)) = (own(io::stdin().as_fd()), own(io::stdout().as_fd())) else { return UNFIT };
    if wall_in(&order).is_err() {
        return UNFIT;
    }
    #[cfg(feature = "test-doors")]
    super::doors::misbehave(&document, &spool);
    match super::reading(document, &order, spool) {
        Ok(()) => 0,
        Err(_) => CANNOT_WRITE,
    }
}

fn own(descriptor: std::os::fd::BorrowedFd<'_>) -> io::Result<File> {
    descriptor.try_clone_to_owned().map(File::from)
}

/// From here on the process can open nothing, write only so much, use only so much time and memory, and outlives
/// nobody.
fn wall_in(order: &Order) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have died before the signal was asked for.
    if getppid().map(Pid::as_raw_pid) != i32::try_from(order.parent).ok() {
        return Err(io::ErrorKind::NotFound.into());
    }
    limit(Resource::Core, 0, 0)?;
    // No file and no socket: not one more descriptor than those that are open.
    limit(Resource::Nofile, 0, 0)?;
    limit(Resource::Fsize, order.spool_bytes.saturating_add(2 * super::super::spool::LONGEST_RECORD), 0)?;
    // Its own deadline comes first, so that it can say so.
    limit(Resource::Cpu, order.seconds.saturating_add(2), 2)?;
    #[cfg(target_os = "linux")]
    {
        limit(Resource::Data, order.memory_bytes, 0)?;
        limit(Resource::As, order.memory_bytes.saturating_add(ADDRESS_SPACE_SPARE_BYTES), 0)?;
    }
    Ok(())
}

/// A limit may be lowered by anybody and raised by nobody.
fn limit(resource: Resource, most: u64, spare: u64) -> io::Result<()> {
    let held = getrlimit(resource).maximum;
    let maximum = most.saturating_add(spare).min(held.unwrap_or(u64::MAX));
    Ok(setrlimit(resource, Rlimit { current: Some(most.min(maximum)), maximum: Some(maximum) })?)
}
