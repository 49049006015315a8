//! Objects on disk. `objects/ab/<sha256 of bucket/key>.json` is an object; it names the blob beside it. A write is
//! one rename of that sidecar, so a kill at any point leaves the old object or the new one. Keys never become paths.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use s3s::{S3Result, s3_error};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::checksums::Checksums;
use super::conditions::Write;
use super::events::{Change, Notifier};
use super::object::{Headers, Object};
use super::sequence::Sequence;
use super::stage::{Staged, blocking, disk, hex, random_name};
use super::{Error, LOCK_PATIENCE, clock, uploads};

/// S3's limit for a key, in bytes. URLs are checked by `s3s`, the key of a POST form is not.
pub(super) const MAX_KEY_BYTES: usize = 1024;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);
/// A reader may see its blob replaced between look-up and open; each round means that another write won.
const OPEN_ATTEMPTS: usize = 8;

pub(super) struct Store {
    root: PathBuf,
    bucket: String,
    /// All objects by key, rebuilt from the sidecars at start: listing and reading metadata never touch the disk.
    index: RwLock<BTreeMap<String, Arc<Object>>>,
    /// Held from the check of a precondition to the event, so writes and their events have one order.
    writer: Mutex<Sequence>,
    notifier: Notifier,
    _lock: File,
}

/// A write, ready but for its place in the order.
pub(super) struct Draft {
    pub key: String,
    pub staged: Staged,
    pub etag: String,
    pub checksums: Checksums,
    pub headers: Headers,
    pub condition: Write,
    pub change: Change,
}

impl Store {
    /// Opens the folder of one bucket, alone, and cleans up what a kill has left.
    pub async fn open(dir: &Path, bucket: &str, events: mpsc::Sender<String>) -> Result<Self, Error> {
        let root = dir.join(bucket);
        let lock = lock(&root).await?;
        let notifier = Notifier { bucket: bucket.to_owned(), sender: events };
        let failed = {
            let path = root.clone();
            move |source| Error::Folder { path, source }
        };
        let load = move || {
            recreate(&root.join("tmp"))?;
            uploads::forget_stale(&root.join("uploads"))?;
            let index = load(&root.join("objects"), &notifier.bucket)?;
            let last = index.values().map(|object| object.sequencer).max().unwrap_or(0);
            // The clock keeps numbers growing even when the whole folder was thrown away.
            let floor = u64::try_from(clock::now().as_microsecond()).unwrap_or(0).max(last + 1);
            let sequence = Sequence::open(root.join("sequencer"), floor)?;
            let (index, writer, bucket) = (RwLock::new(index), Mutex::new(sequence), notifier.bucket.clone());
            Ok(Self { root, bucket, index, writer, notifier, _lock: lock })
        };
        tokio::task::spawn_blocking(load).await.map_err(io::Error::other).flatten().map_err(failed)
    }

    pub fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    pub fn index(&self) -> RwLockReadGuard<'_, BTreeMap<String, Arc<Object>>> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn find(&self, key: &str) -> S3Result<Arc<Object>> {
        self.index().get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
    }

    pub fn locate(&self, key: &str) -> S3Result<(Arc<Object>, PathBuf)> {
        let object = self.find(key)?;
        let path = self.place(key).with_file_name(&object.blob);
        Ok((object, path))
    }

    /// The object and its bytes, which stay readable while they are replaced or deleted.
    pub async fn read(&self, key: &str) -> S3Result<(Arc<Object>, tokio::fs::File)> {
        let mut attempt = 1;
        loop {
            let (object, path) = self.locate(key)?;
            match tokio::fs::File::open(path).await {
                Ok(file) => return Ok((object, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < OPEN_ATTEMPTS => attempt += 1,
                Err(error) => return Err(disk(error)),
            }
        }
    }

    /// Makes the draft the object of its key.
    pub async fn commit(self: &Arc<Self>, draft: Draft) -> S3Result<Arc<Object>> {
        let store = Arc::clone(self);
        blocking(move || store.replace(draft)).await
    }

    /// Removes the object; `None` when there was none.
    pub async fn delete(self: &Arc<Self>, key: String, condition: Write) -> S3Result<Option<Arc<Object>>> {
        let store = Arc::clone(self);
        blocking(move || store.remove(&key, &condition)).await
    }

    fn replace(&self, draft: Draft) -> S3Result<Arc<Object>> {
        let mut sequence = self.writer();
        let old = self.index().get(&draft.key).cloned();
        draft.condition.check(old.as_deref())?;
        let sequencer = sequence.next(&self.temporary()).map_err(disk)?;
        let sidecar = self.place(&draft.key);
        let object = Arc::new(Object {
            blob: format!("{}.{sequencer:016x}", hash(&self.bucket, &draft.key)),
            size: draft.staged.size,
            etag: draft.etag,
            modified: clock::now(),
            sequencer,
            checksums: draft.checksums,
            headers: draft.headers,
            key: draft.key,
        });
        let write = || {
            let json = serde_json::to_vec_pretty(&*object)?;
            fs::create_dir_all(folder(&sidecar))?;
            draft.staged.rename(&sidecar.with_file_name(&object.blob))?;
            write_atomically(&self.temporary(), &sidecar, &json)
        };
        write().map_err(disk)?;
        self.change_index(|index| index.insert(object.key.clone(), Arc::clone(&object)));
        if let Some(old) = old {
            discard(&sidecar.with_file_name(&old.blob));
        }
        self.notifier.created(draft.change, &object);
        Ok(object)
    }

    fn remove(&self, key: &str, condition: &Write) -> S3Result<Option<Arc<Object>>> {
        let mut sequence = self.writer();
        let old = self.index().get(key).cloned();
        condition.check(old.as_deref())?;
        let Some(old) = old else { return Ok(None) };
        let sequencer = sequence.next(&self.temporary()).map_err(disk)?;
        let sidecar = self.place(key);
        fs::remove_file(&sidecar).and_then(|()| sync_folder(folder(&sidecar))).map_err(disk)?;
        self.change_index(|index| index.remove(key));
        discard(&sidecar.with_file_name(&old.blob));
        self.notifier.removed(key, sequencer, clock::now());
        Ok(Some(old))
    }

    /// A panic while the lock was held left at worst an orphan blob: the next start sweeps it.
    fn writer(&self) -> MutexGuard<'_, Sequence> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_index<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Arc<Object>>) -> T) {
        change(&mut self.index.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn place(&self, key: &str) -> PathBuf {
        place(&self.root.join("objects"), &self.bucket, key)
    }
}

fn hash(bucket: &str, key: &str) -> String {
    hex(&Sha256::digest(format!("{bucket}/{key}")))
}

fn place(objects: &Path, bucket: &str, key: &str) -> PathBuf {
    let hash = hash(bucket, key);
    objects.join(&hash[..2]).join(format!("{hash}.json"))
}

fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(file)
}

async fn lock(root: &Path) -> Result<File, Error> {
    let failed = |source| Error::Folder { path: root.to_owned(), source };
    fs::create_dir_all(root).map_err(failed)?;
    let file = File::create(root.join("lock")).map_err(failed)?;
    let mut waited = std::time::Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if waited < LOCK_PATIENCE => {
                tokio::time::sleep(LOCK_PAUSE).await;
                waited += LOCK_PAUSE;
            }
            Err(fs::TryLockError::WouldBlock) => return Err(Error::InUse { path: root.to_owned() }),
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}

fn recreate(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)
}

/// Reads every sidecar and removes blobs that none of them names.
fn load(objects: &Path, bucket: &str) -> io::Result<BTreeMap<String, Arc<Object>>> {
    let mut index = BTreeMap::new();
    fs::create_dir_all(objects)?;
    for shard in fs::read_dir(objects)? {
        let files = fs::read_dir(shard?.path())?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        let (sidecars, blobs): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|path| path.extension().is_some_and(|extension| extension == "json"));
        let mut live = Vec::new();
        for sidecar in sidecars {
            match read_sidecar(&sidecar, objects, bucket) {
                Ok(object) => {
                    live.push(sidecar.with_file_name(&object.blob));
                    index.insert(object.key.clone(), Arc::new(object));
                }
                // Somebody may want to repair it by hand, so neither it nor its blobs are touched.
                Err(error) => {
                    tracing::warn!(sidecar = %sidecar.display(), %error, "bucket object unreadable, skipped");
                    live.extend(blobs.iter().filter(|blob| blob.file_stem() == sidecar.file_stem()).cloned());
                }
            }
        }
        blobs.iter().filter(|blob| !live.contains(blob)).for_each(|blob| discard(blob));
    }
    Ok(index)
}

fn read_sidecar(sidecar: &Path, objects: &Path, bucket: &str) -> io::Result<Object> {
    let object: Object = serde_json::from_slice(&fs::read(sidecar)?)?;
    if place(objects, bucket, &object.key) != sidecar {
        return Err(io::Error::other("the file is not named after its key"));
    }
    let size = fs::metadata(sidecar.with_file_name(&object.blob))?.len();
    if size == object.size { Ok(object) } else { Err(io::Error::other("the blob has another size")) }
}

/// Readers see the old content or the new, also after a crash: write aside, sync, rename, sync the folder.
pub(super) fn write_atomically(temporary: &Path, target: &Path, content: &[u8]) -> io::Result<()> {
    let aside = temporary.join(random_name()?);
    let mut file = File::create_new(&aside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&aside, target)?;
    sync_folder(folder(target))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A blob that stays behind is only wasted space until the next start.
fn discard(blob: &Path) {
    if let Err(error) = fs::remove_file(blob) {
        tracing::warn!(blob = %blob.display(), %error, "bucket blob not removed");
    }
}
