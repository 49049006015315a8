//! What the end of a reader says about its document. Pure.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use docent_text::ErrorKind;
use rustix::process::Signal;

use super::Order;
use crate::error::{Error, Kind};

/// Exit statuses of a reader besides 0, which says: look at the spool.
pub const MISUNDERSTOOD: i32 = 3;
pub const UNFIT: i32 = 4;
pub const CANNOT_WRITE: i32 = 5;
/// Rust's own, of a panic that nothing caught.
const PANICKED: i32 = 101;

#[derive(Debug)]
pub enum Verdict {
    /// The spool says how.
    Ended,
    /// This machine lets no reader be walled in.
    Unfit,
    NoRoom,
    Failed(Error),
}

pub fn verdict(status: ExitStatus, words: &str, order: &Order) -> Verdict {
    let failed = match (status.code(), status.signal().and_then(Signal::from_named_raw)) {
        (Some(0), _) => return Verdict::Ended,
        (Some(UNFIT | MISUNDERSTOOD), _) => return Verdict::Unfit,
        (Some(CANNOT_WRITE), _) => return Verdict::NoRoom,
        (_, Some(Signal::XCPU)) => too_much("processor time"),
        (_, Some(Signal::XFSZ)) => too_much("room for its text"),
        // What the allocator of Rust says when there is no more.
        (_, Some(Signal::ABORT)) if words.contains("memory allocation of") => {
            too_much(&format!("memory than {} MB", order.memory_bytes / (1024 * 1024)))
        }
        (
            _,
            Some(Signal::ABORT | Signal::SEGV | Signal::BUS | Signal::ILL | Signal::FPE | Signal::TRAP | Signal::SYS),
        )
        | (Some(PANICKED), _) => Error::new(Kind::Document(ErrorKind::Corrupt.code()), "The document cannot be read.")
            .hint("Open the file in its own program, save it again and upload the new copy."),
        // Killed by somebody: the operator, or a machine without memory. That may pass.
        _ => stalled("The process that read the document was ended by the machine."),
    };
    Verdict::Failed(failed.because(format!("{status}: {}", words.trim())))
}

pub fn too_slow(seconds: u64) -> Error {
    Error::new(
        Kind::Document(ErrorKind::Timeout.code()),
        format!("Reading the document took more than {seconds} seconds."),
    )
    .hint("Split the document into smaller files, then upload them.")
}

/// Work on a document that began and came to no end, for no reason that the document gave.
pub fn stalled(detail: impl Into<String>) -> Error {
    Error::new(Kind::Document(STALLED), detail.into())
        .hint("Try the document once more; if it stays, simplify or split it and upload it again.")
}

/// Unlike every other code of a document, this one may pass.
pub const STALLED: &str = "ingest_stalled";

fn too_much(what: &str) -> Error {
    Error::new(Kind::Document(ErrorKind::LimitExceeded.code()), format!("Reading the document takes more {what}."))
        .hint("Simplify or split the document, then upload it again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(status: ExitStatus, words: &str) -> String {
        match verdict(status, words, &Order::of("a.pdf", None)) {
            Verdict::Failed(error) => {
                assert!(error.detail.ends_with('.') && !error.hint.is_empty(), "{error}");
                error.code().to_owned()
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn every_end_of_a_reader_has_a_code() {
        let exit = |code: i32| ExitStatus::from_raw(code << 8);
        let signal = |signal: Signal| ExitStatus::from_raw(signal.as_raw());
        for (status, words, expected) in [
            (exit(0), "", "Ended"),
            (exit(UNFIT), "", "Unfit"),
            (exit(MISUNDERSTOOD), "", "Unfit"),
            (exit(CANNOT_WRITE), "", "NoRoom"),
            (exit(PANICKED), "panicked at a.rs:1", "corrupt"),
            (exit(77), "", "ingest_stalled"),
            (signal(Signal::XCPU), "", "limit_exceeded"),
            (signal(Signal::XFSZ), "", "limit_exceeded"),
            (signal(Signal::ABORT), "memory allocation of 4096 bytes failed", "limit_exceeded"),
            (signal(Signal::ABORT), "has overflowed its stack", "corrupt"),
            (signal(Signal::SEGV), "", "corrupt"),
            (signal(Signal::KILL), "", "ingest_stalled"),
            (signal(Signal::INT), "", "ingest_stalled"),
            (signal(Signal::TERM), "", "ingest_stalled"),
        ] {
            assert_eq!(code(status, words), expected, "{status} {words}");
        }
        assert_eq!(too_slow(120).code(), "timeout");
    }
}
