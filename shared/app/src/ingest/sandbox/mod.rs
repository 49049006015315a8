//! Reads a document where it can do no harm: in a process of its own with walls around it, where this binary can start
//! itself once more, and in this process within a budget, where it cannot.

mod child;
#[cfg(feature = "test-doors")]
mod doors;
mod verdict;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Stdio;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use docent_text::{Budget, ChunkOptions, ErrorKind, ReadOptions};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::spool::{Refusal, Writer};
use crate::config;
use crate::error::{Error, Result};
use crate::objects::no_room;
pub use verdict::STALLED;
use verdict::{Verdict, verdict};

/// The argument that makes a process the reader of the one document on its standard input.
const ASKED: &str = "read-document";
/// What a spool may hold besides three times the document: packed formats grow.
pub const SPOOL_SPARE_BYTES: u64 = 256 * 1024 * 1024;
/// How much longer than its own deadline a reader may live before it is killed.
pub const GRACE: Duration = Duration::from_secs(5);
/// What is looked at of a reader's last words.
const LAST_WORDS: u64 = 4096;

/// Whether this process may start itself as a reader: it has said at its start that it would notice.
static ARMED: AtomicBool = AtomicBool::new(false);

/// The first call of every binary that ingests: a process that was started to read one document does so and ends here.
pub fn parse_if_asked() {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(verb) if verb == ASKED => std::process::exit(child::run(arguments.next())),
        _ => ARMED.store(true, Ordering::Relaxed),
    }
}

/// One document to read: what it claims to be, and what reading it may cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Only the extension: whole names would stand in the machine's list of processes.
    pub name: String,
    pub declared: Option<String>,
    pub whole_bytes: u64,
    pub stream_bytes: u64,
    pub spool_bytes: u64,
    pub memory_bytes: u64,
    pub seconds: u64,
    /// Who asked: a reader without it has nobody to read for.
    pub parent: u32,
}

impl Order {
    pub fn of(filename: &str, content_type: Option<&str>) -> Order {
        let extension = filename.rsplit_once('.').map(|(_, extension)| extension);
        let plain = extension.filter(|text| text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        // `application/octet-stream` says only that the browser did not know.
        let declared = content_type.filter(|kind| !kind.starts_with("application/octet-stream"));
        let budget = Budget::default();
        Order {
            name: plain.map(|extension| format!("document.{extension}")).unwrap_or_default(),
            declared: declared.filter(|kind| !kind.contains('\0')).map(str::to_owned),
            whole_bytes: budget.whole_bytes,
            stream_bytes: budget.stream_bytes,
            spool_bytes: SPOOL_SPARE_BYTES,
            memory_bytes: config::PARSER_MEMORY_BYTES,
            seconds: config::PARSE_SECONDS,
            parent: std::process::id(),
        }
    }

    pub fn within(mut self, limits: &config::Limits, settings: &config::Ingest, size: u64) -> Order {
        (self.whole_bytes, self.stream_bytes) = (limits.upload_bytes, limits.stream_bytes);
        (self.memory_bytes, self.seconds) = (settings.parser_memory_bytes, settings.parse_seconds);
        self.spool_bytes = size.saturating_mul(3).saturating_add(SPOOL_SPARE_BYTES);
        self
    }

    fn options(&self) -> ReadOptions {
        let deadline = Some(Instant::now() + Duration::from_secs(self.seconds));
        let (whole_bytes, stream_bytes) = (self.whole_bytes, self.stream_bytes);
        ReadOptions {
            budget: Budget { whole_bytes, stream_bytes, deadline, ..Budget::default() },
            chunks: ChunkOptions::default(),
        }
    }
}

/// Reads a document into a spool. Dropping the future ends the reader, where it is a process.
pub async fn read(document: &File, order: &Order) -> Result<File> {
    static ALONE: Once = Once::new();
    if ARMED.load(Ordering::Relaxed) {
        match by_process(document, order).await? {
            Ok(spool) => return Ok(spool),
            Err(cause) => ALONE.call_once(|| {
                tracing::warn!(cause, "ingest.sandbox cannot start readers here: documents are read in this process");
            }),
        }
    }
    let (document, order) = (document.try_clone().map_err(no_room)?, order.clone());
    let work = tokio::task::spawn_blocking(move || {
        let spool = tempfile::tempfile()?;
        reading(document, &order, spool.try_clone()?)?;
        Ok(spool)
    });
    work.await.map_err(Error::internal)?.map_err(no_room)
}

/// Reads a document in this very thread. What it says in the end, even of a panic, is the spool's last record; an
/// error means that the spool could not be written.
pub fn reading(document: File, order: &Order, spool: File) -> io::Result<()> {
    let mut writer = Writer::new(spool, order.spool_bytes);
    let work = AssertUnwindSafe(|| {
        let source = BufReader::with_capacity(64 * 1024, document);
        let mut sink = |piece| writer.piece(piece);
        docent_text::read(source, &order.name, order.declared.as_deref(), &order.options(), &mut sink)
    });
    let outcome = match catch_unwind(work) {
        Ok(outcome) => outcome.map_err(Refusal::from),
        Err(_) => Err(panicked()),
    };
    writer.end(outcome)
}

/// `Err` within `Ok`: no reader could be started, for a reason that is not the document's.
async fn by_process(document: &File, order: &Order) -> Result<Result<File, String>> {
    let (spool, words) = (tempfile::tempfile().map_err(no_room)?, tempfile::tempfile().map_err(no_room)?);
    let mut reader = match command(document, order, &spool, &words).and_then(|mut command| command.spawn()) {
        Ok(reader) => reader,
        Err(cause) => return Ok(Err(cause.to_string())),
    };
    let patience = Duration::from_secs(order.seconds) + GRACE;
    let Ok(status) = tokio::time::timeout(patience, reader.wait()).await else {
        reader.kill().await.map_err(Error::internal)?;
        return Err(verdict::too_slow(order.seconds));
    };
    match verdict(status.map_err(Error::internal)?, &last_words(words), order) {
        Verdict::Ended => Ok(Ok(spool)),
        Verdict::Unfit => Ok(Err("a reader could not put up its walls".to_owned())),
        Verdict::NoRoom => Err(no_room(io::Error::from(io::ErrorKind::StorageFull))),
        Verdict::Failed(error) => Err(error),
    }
}

fn command(document: &File, order: &Order, spool: &File, words: &File) -> io::Result<Command> {
    // The very binary that runs, even when a newer one lies at its path by now.
    let own = if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe()? };
    let mut command = Command::new(own);
    command
        .args([ASKED, &serde_json::to_string(order)?])
        .env_clear()
        .current_dir("/")
        // Ctrl-C is for us: a reader that it ended would look like a broken document.
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::from(document.try_clone()?))
        .stdout(Stdio::from(spool.try_clone()?))
        .stderr(Stdio::from(words.try_clone()?));
    Ok(command)
}

fn last_words(mut words: File) -> String {
    let mut text = Vec::new();
    let read = io::Seek::rewind(&mut words).and_then(|()| words.take(LAST_WORDS).read_to_end(&mut text));
    read.map(|_| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
}

fn panicked() -> Refusal {
    // A parser that panics does so again: the file is to blame, and the worker lives on.
    let hint = "Open the file in its own program, save it again and upload the new copy.";
    Refusal::new(ErrorKind::Corrupt.code(), "The document cannot be read.", hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_learns_of_a_name_only_its_extension() {
        for (filename, expected) in [
            ("Layoffs 2026.pdf", "document.pdf"),
            ("archive.tar.GZ", "document.GZ"),
            ("README", ""),
            (".env", "document.env"),
            ("odd.p\0df", ""),
            ("odd.--flag", ""),
            ("odd.abcdefghijklmnopq", ""),
        ] {
            assert_eq!(Order::of(filename, None).name, expected, "{filename:?}");
        }
        assert_eq!(Order::of("a", Some("application/octet-stream; x=y")).declared, None);
        assert_eq!(
            Order::of("a", Some("text/plain; charset=utf-8")).declared.as_deref(),
            Some("text/plain; charset=utf-8")
        );
    }
}
