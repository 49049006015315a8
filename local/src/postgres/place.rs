//! Who runs the server and where its files may lie. Postgres refuses to be root, so root hands it to `nobody`, who must be
//! able to reach the binaries and the data.
use super::Error;
use rustix::process::geteuid;
use sha2::{Digest, Sha256};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// `nobody` has a passwd entry practically everywhere, and initdb insists on one.
const NOBODY: u32 = if cfg!(target_os = "macos") { u32::MAX - 1 } else { 65534 };
const STAND_INS: &str = "/var/tmp";

/// The unprivileged user and group to run the server as; `None` when we are unprivileged ourselves.
pub(super) fn user() -> Option<u32> {
    geteuid().is_root().then_some(NOBODY)
}

/// The wanted directory, or a stand-in below /var/tmp when we are root and `nobody` could not enter the wanted one.
pub fn reachable(wanted: &Path) -> PathBuf {
    match user().and_then(|_| closed(wanted)) {
        Some(_) => stand_in(wanted),
        None => wanted.to_owned(),
    }
}

/// Create the directory when it is missing, and make sure that the server's user can enter it and nobody else planted it.
pub(super) fn prepare(directory: &Path, user: Option<u32>) -> Result<(), Error> {
    refuse_closed(directory, user)?;
    if !directory.exists() {
        fs::create_dir_all(directory).map_err(Error::disk(directory))?;
        let mode = if user.is_some() { 0o755 } else { 0o700 };
        fs::set_permissions(directory, Permissions::from_mode(mode)).map_err(Error::disk(directory))?;
        // A strict umask may have closed one that was created on the way.
        refuse_closed(directory, user)?;
    }
    match foreign(directory) {
        Some(path) => Err(Error::Foreign { path }),
        None => Ok(()),
    }
}

fn refuse_closed(directory: &Path, user: Option<u32>) -> Result<(), Error> {
    match user.and_then(|_| closed(directory)) {
        Some(path) => Err(Error::NotTraversable { path, instead: stand_in(directory) }),
        None => Ok(()),
    }
}

fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    fs::canonicalize(&path).unwrap_or(path)
}

fn stand_in(wanted: &Path) -> PathBuf {
    let name: String = Sha256::digest(absolute(wanted).as_os_str().as_encoded_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Path::new(STAND_INS).join(format!("docent-{}", name.get(..12).unwrap_or(&name)))
}

/// The first directory on the way that only its owner or group may enter.
fn closed(path: &Path) -> Option<PathBuf> {
    let path = absolute(path);
    let mut existing = path.ancestors().filter_map(|part| Some((part, fs::metadata(part).ok()?)));
    existing.find(|(_, metadata)| metadata.mode() & 0o001 == 0).map(|(part, _)| part.to_owned())
}

/// In a directory open to everybody (/tmp) any user could have put binaries there for us to run.
fn foreign(path: &Path) -> Option<PathBuf> {
    let path = absolute(path);
    let ours = [0, geteuid().as_raw()];
    let planted = |part: &&Path| {
        let open =
            part.parent().and_then(|parent| fs::metadata(parent).ok()).is_some_and(|parent| parent.mode() & 0o002 != 0);
        open && fs::metadata(part).is_ok_and(|metadata| !ours.contains(&metadata.uid()))
    };
    path.ancestors().find(planted).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_directory_is_closed_and_gets_a_stand_in_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
        let wanted = directory.path().join("a/b");
        assert_eq!(closed(&wanted).unwrap(), directory.path().canonicalize().unwrap());
        assert_eq!(prepare(&wanted, Some(NOBODY)).unwrap_err().code(), "directory_not_traversable");
        assert_eq!(stand_in(&wanted), stand_in(&wanted));
        assert_ne!(stand_in(&wanted), stand_in(directory.path()));
        if user().is_some() {
            assert_eq!(reachable(&wanted), stand_in(&wanted));
        }
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(closed(&wanted), None);
        assert_eq!(reachable(&wanted), wanted);
    }

    #[test]
    fn a_directory_that_another_user_planted_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let planted = directory.path().join("planted");
        fs::create_dir(&planted).unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(foreign(&planted), None);
        if std::os::unix::fs::chown(&planted, Some(12345), None).is_ok() {
            assert_eq!(prepare(&planted.join("data"), None).unwrap_err().code(), "directory_not_ours");
        } else {
            use std::io::Write;
            let _ = std::io::stderr().write_all(b"not run: a planted directory is refused (needs root)\n");
        }
    }
}
