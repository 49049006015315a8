//! The one integration binary of the crate.

#[cfg(test)]
mod bucket;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod eval;
#[cfg(test)]
mod ingest;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod migrate;
#[cfg(test)]
mod minilm;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod reembed;
#[cfg(test)]
mod reindex;
#[cfg(test)]
mod resumes;

/// Says which check could not run and what it needs, past the test runner, which swallows what a passing test prints.
#[cfg(test)]
fn not_run(what: &str) {
    use std::io::Write;

    let _ = std::io::stderr().write_all(format!("not run: {what}\n").as_bytes());
}
