//! Time and randomness as parameters, so that a test needs neither sleep nor redaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Where "now" and "at random" come from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Fixed { start: Timestamp, moved: Arc<AtomicI64>, step: Arc<AtomicU64> },
}

impl Clock {
    /// The wall clock and the operating system's random numbers.
    pub fn system() -> Clock {
        Clock(Source::System)
    }

    /// A clock that stands still and a random source that counts: the same calls give the same values.
    pub fn fixed(start: Timestamp) -> Clock {
        Clock(Source::Fixed { start, moved: Arc::default(), step: Arc::new(AtomicU64::new(1)) })
    }

    /// Moves a fixed clock and all its clones, forwards or back; the system's does as it likes.
    pub fn turn(&self, by: SignedDuration) {
        if let Source::Fixed { moved, .. } = &self.0 {
            moved.fetch_add(i64::try_from(by.as_millis()).unwrap_or_default(), Ordering::Relaxed);
        }
    }

    pub fn now(&self) -> Timestamp {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
            Source::System => Timestamp::now(),
            Source::Fixed { start, moved, .. } => {
                let moved = SignedDuration::from_millis(moved.load(Ordering::Relaxed));
                start.saturating_add(moved).unwrap_or(*start)
            }
        }
    }

    /// A UUIDv7 (RFC 9562 §5.7): sortable by time, so that new rows land at the end of an index.
    pub fn uuid(&self) -> Uuid {
        let seconds = u64::try_from(self.now().as_second()).unwrap_or_default();
        let nanos = u32::try_from(self.now().subsec_nanosecond()).unwrap_or_default();
        let millis = seconds * 1000 + u64::from(nanos / 1_000_000);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.random()).into_uuid()
    }

    /// `N` unpredictable bytes (predictable ones under a fixed clock).
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0u8; N];
        match &self.0 {
            // Without the system's random numbers no key and no token is safe: stopping is the only right answer.
            #[expect(clippy::expect_used, reason = "there is no safe way to go on without randomness")]
            Source::System => getrandom::fill(&mut bytes).expect("the operating system gives random numbers"),
            Source::Fixed { step, .. } => {
                let value = step.fetch_add(1, Ordering::Relaxed).to_be_bytes();
                for (byte, filler) in bytes.iter_mut().rev().zip(value.iter().rev().cycle()) {
                    *byte = *filler;
                }
            }
        }
        bytes
    }
}
