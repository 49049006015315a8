//! Builds the binaries that are measured, each package by itself and in the profile of this benchmark.

use std::path::PathBuf;
use std::process::Command;

use crate::{Outcome, project, table};

/// The folder of the profile that this benchmark was built with, where cargo puts the others' binaries too.
pub fn folder() -> Outcome<PathBuf> {
    let this = std::env::current_exe()?;
    Ok(this.parent().ok_or("this binary lies nowhere")?.to_owned())
}

/// Selecting one package keeps the other packages' features out of it, as the platforms' builders do.
pub fn package(name: &str) -> Outcome<()> {
    let profile = folder()?;
    let target = profile.parent().ok_or("there is no target folder")?;
    table::note(&format!("building {name} ({})", profile_name()));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(project()).args(["build", "--quiet", "--package", name, "--bins", "--target-dir"]).arg(target);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    match cargo.status()?.success() {
        true => Ok(()),
        false => Err(format!("{name} does not build").into()),
    }
}

pub fn profile_name() -> &'static str {
    if cfg!(debug_assertions) { "dev profile: these numbers say nothing" } else { "release profile" }
}
