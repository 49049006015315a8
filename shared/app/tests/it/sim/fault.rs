//! The 32 kinds of fault, by name, and what each of them does to the step that it hits.

use super::gate::{Blow, Place};
use crate::dice::Dice;

/// Everything that queues, buckets, providers, databases and machines are known to do to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    // The queue.
    Duplicate,
    Reorder,
    Delay,
    Drop,
    RedeliveryAfterSuccess,
    ConcurrentDelivery,
    PoisonInBatch,
    ForeignBucket,
    BadKeyEncoding,
    ForgedWebhook,
    // The bucket.
    BucketRefuses,
    ShortBody,
    EtagChange,
    SlowLoris,
    // The provider of embeddings.
    EmbedRateLimited,
    EmbedUnavailable,
    EmbedTimeout,
    EmbedWrongCount,
    EmbedBadVectors,
    EmbedPartialBatch,
    KeyRevoked,
    // The database.
    DatabaseRefuses,
    ConnectionDrops,
    Deadlock,
    SerializationFailure,
    StatementTimeout,
    CommitAckLost,
    ReadOnlyFailover,
    // The machine.
    Sigkill,
    OutOfMemory,
    DeadlineFreeze,
    ClockJump,
}

use Fault::*;

pub const ALL: [Fault; 32] = [
    Duplicate,
    Reorder,
    Delay,
    Drop,
    RedeliveryAfterSuccess,
    ConcurrentDelivery,
    PoisonInBatch,
    ForeignBucket,
    BadKeyEncoding,
    ForgedWebhook,
    BucketRefuses,
    ShortBody,
    EtagChange,
    SlowLoris,
    EmbedRateLimited,
    EmbedUnavailable,
    EmbedTimeout,
    EmbedWrongCount,
    EmbedBadVectors,
    EmbedPartialBatch,
    KeyRevoked,
    DatabaseRefuses,
    ConnectionDrops,
    Deadlock,
    SerializationFailure,
    StatementTimeout,
    CommitAckLost,
    ReadOnlyFailover,
    Sigkill,
    OutOfMemory,
    DeadlineFreeze,
    ClockJump,
];

const IN_DATABASE: &[Place] = &[Place::Statement];
const AT_BUCKET: &[Place] = &[Place::Bucket];
const AT_PROVIDER: &[Place] = &[Place::Provider];
/// Wherever a process can stop between two effects.
const ANYWHERE: &[Place] = &[Place::Begin, Place::Inside, Place::Committed, Place::Bucket, Place::Provider];
/// Where a process holds no lock: two of them can stand there at once.
const UNLOCKED: &[Place] = &[Place::Begin, Place::Committed, Place::Bucket, Place::Provider];
/// Where a document's bytes or vectors are in memory.
const LOADED: &[Place] = &[Place::Provider, Place::Begin, Place::Committed];

/// The server itself raises what it would raise.
const DEADLOCK: &str = "do $$ begin raise exception 'deadlock detected' using errcode = '40P01'; end $$";
const SERIALIZATION: &str = "do $$ begin raise exception 'could not serialize access' using errcode = '40001'; end $$";
const TIMEOUT: &str = "set local statement_timeout = 1; select pg_sleep(60)";
const TERMINATE: &str = "select pg_terminate_backend(pg_backend_pid())";
const READ_ONLY: &str = "set local transaction_read_only = on";

/// What will happen, at which of a worker's steps.
#[derive(Clone, Copy, Debug)]
pub struct Arm {
    pub places: &'static [Place],
    /// Steps of these places that pass unharmed first.
    pub after: usize,
    /// Steps that are hit, one behind the other.
    pub times: usize,
    pub blow: Blow,
}

impl Fault {
    pub fn named(name: &str) -> Option<Fault> {
        ALL.into_iter().find(|fault| fault.name() == name)
    }

    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// What this fault does to one worker; none for those that happen to messages or to clocks.
    pub fn arm(self, dice: &mut Dice) -> Option<Arm> {
        let arm = |places, after, times, blow| Some(Arm { places, after, times, blow });
        match self {
            Duplicate
            | Reorder
            | Delay
            | Drop
            | RedeliveryAfterSuccess
            | PoisonInBatch
            | ForeignBucket
            | BadKeyEncoding
            | ForgedWebhook
            | ClockJump => None,
            ConcurrentDelivery => arm(UNLOCKED, dice.below(22), 1, held(dice)),
            BucketRefuses => {
                arm(AT_BUCKET, dice.below(3), 1 + dice.below(5), Blow::Status(*dice.pick(&[403, 404, 503])))
            }
            ShortBody => arm(&[Place::Get], 0, 1 + dice.below(2), Blow::ShortBody),
            EtagChange => arm(&[Place::Get], 0, 1 + dice.below(3), Blow::Overwrite),
            SlowLoris => arm(&[Place::Get], 0, 1, Blow::Starve),
            EmbedRateLimited => arm(AT_PROVIDER, dice.below(2), 1 + dice.below(4), Blow::Refusal(429)),
            EmbedUnavailable => arm(AT_PROVIDER, dice.below(2), 1 + dice.below(4), Blow::Refusal(500)),
            EmbedTimeout => arm(AT_PROVIDER, dice.below(2), 1, Blow::Starve),
            EmbedWrongCount => arm(AT_PROVIDER, dice.below(2), 1 + dice.below(2), Blow::WrongCount),
            EmbedBadVectors => arm(AT_PROVIDER, dice.below(2), 1 + dice.below(2), Blow::BadVectors),
            EmbedPartialBatch => arm(AT_PROVIDER, dice.below(2), 1 + dice.below(3), Blow::Refusal(400)),
            KeyRevoked => arm(AT_PROVIDER, dice.below(2), 1 + dice.below(3), Blow::Refusal(401)),
            DatabaseRefuses => arm(&[Place::Begin], dice.below(10), 1, Blow::Refuse),
            ConnectionDrops => arm(IN_DATABASE, dice.below(24), 1, Blow::Sql(TERMINATE)),
            Deadlock => arm(IN_DATABASE, dice.below(24), 1 + dice.below(3), Blow::Sql(DEADLOCK)),
            SerializationFailure => arm(IN_DATABASE, dice.below(24), 1 + dice.below(3), Blow::Sql(SERIALIZATION)),
            StatementTimeout => arm(IN_DATABASE, dice.below(24), 1, Blow::Sql(TIMEOUT)),
            CommitAckLost => arm(&[Place::Commit], dice.below(12), 1 + dice.below(2), Blow::LoseAck),
            ReadOnlyFailover => arm(IN_DATABASE, dice.below(20), 40, Blow::Sql(READ_ONLY)),
            Sigkill => arm(ANYWHERE, dice.below(30), 1, held(dice)),
            OutOfMemory => arm(LOADED, 4 + dice.below(12), 1, held(dice)),
            DeadlineFreeze => arm(ANYWHERE, dice.below(30), 1, held(dice)),
        }
    }

    /// Codes with which a document may end although its bytes are good: the tenant's key or the provider is to blame.
    pub fn lasting_codes(self) -> &'static [&'static str] {
        match self {
            EmbedWrongCount | EmbedBadVectors => &["provider_protocol"],
            EmbedPartialBatch => &["provider_rejected", "provider_invalid_request", "provider_bad_request"],
            KeyRevoked => &["provider_auth"],
            _ => &[],
        }
    }
}

/// Before the other side has acted, or after it has and before that is known.
fn held(dice: &mut Dice) -> Blow {
    if dice.percent(50) { Blow::Hold } else { Blow::HoldAfter }
}
