//! A folder for one question or one measurement, removed when that is done.

use std::path::{Path, PathBuf};

use crate::command::Failure;

pub struct Scratch(PathBuf);

impl Scratch {
    pub fn of(command: &str) -> Result<Scratch, Failure> {
        let name = format!("docent-{command}-{}", std::process::id());
        let folder = crate::postgres::reachable(&std::env::temp_dir().join(name));
        let cannot = |error| Failure::new(format!("{}: {error}.", folder.display()), "Free some space, or set TMPDIR.");
        std::fs::create_dir_all(&folder).map_err(cannot)?;
        Ok(Scratch(folder))
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is the system's to remove: it lies in its folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
