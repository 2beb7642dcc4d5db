//! A guest's file system: a tree in memory, with a quota of bytes and of entries.
//!
//! `virtual_fs::mem_fs` has no quota in the features we build with, allocates before it would ask for one, and
//! grows a file to any length a guest names. This tree asks first.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Component, Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use wasmer_wasix::{
    FsError,
    virtual_fs::{
        self, FileOpener, FileSystem, FileType, Metadata, OpenOptions, OpenOptionsConfig, ReadDir, VirtualFile,
    },
};
use wasmwiz_core::system::Clock;

use super::handle::{File, Handle};

/// Directories may nest this deep. Dropping a tree recurses, here and in wasmer-wasix.
const MAX_DEPTH: usize = 128;
/// Bytes in one name.
const MAX_NAME: usize = 255;

/// How much a guest may keep in its files.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Bytes of file contents, input files included.
    pub bytes: u64,
    /// Files, directories and symbolic links, input files included.
    pub entries: usize,
}

/// The bytes that are left of a quota.
pub(super) struct Space {
    left: AtomicU64,
    refused: AtomicBool,
}

impl Space {
    /// Take `count` bytes, or none.
    pub(super) fn take(&self, count: u64) -> Result<(), FsError> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(count));
        if taken.is_err() {
            self.refused.store(true, Ordering::Relaxed);
        }
        // wasmer-wasix turns this one into ENOSPC, and `StorageFull` into EOVERFLOW.
        taken.map(drop).map_err(|_| FsError::WriteZero)
    }

    /// Give `count` bytes back.
    pub(super) fn give(&self, count: u64) {
        self.left.fetch_add(count, Ordering::Relaxed);
    }
}

/// A file system that the guest, its open files and its session share.
#[derive(Clone)]
pub(super) struct Files {
    tree: Arc<Mutex<Tree>>,
    space: Arc<Space>,
    clock: Arc<dyn Clock>,
}

struct Tree {
    root: Dir,
    left: usize,
}

enum Node {
    File(Arc<File>),
    Dir(Dir),
    Link { target: PathBuf, created: u64 },
}

#[derive(Default)]
struct Dir {
    children: BTreeMap<String, Node>,
    created: u64,
}

impl Node {
    fn metadata(&self) -> Metadata {
        match self {
            Self::File(file) => file.metadata(),
            Self::Dir(dir) => dir.metadata(),
            Self::Link { target, created } => Metadata {
                ft: FileType { symlink: true, ..FileType::default() },
                accessed: *created,
                created: *created,
                modified: *created,
                len: target.as_os_str().len() as u64,
            },
        }
    }

    /// How many levels of directories there are from here down.
    fn height(&self) -> usize {
        match self {
            Self::Dir(dir) => 1 + dir.children.values().map(Self::height).max().unwrap_or(0),
            _ => 1,
        }
    }
}

impl Dir {
    fn metadata(&self) -> Metadata {
        let time = self.created;
        Metadata { ft: FileType::new_dir(), accessed: time, created: time, modified: time, len: 0 }
    }

    fn find(&self, path: &[&str]) -> Result<&Self, FsError> {
        path.iter().try_fold(self, |dir, name| match dir.children.get(*name) {
            Some(Node::Dir(dir)) => Ok(dir),
            Some(_) => Err(FsError::BaseNotDirectory),
            None => Err(FsError::EntryNotFound),
        })
    }

    fn find_mut(&mut self, path: &[&str]) -> Result<&mut Self, FsError> {
        path.iter().try_fold(self, |dir, name| match dir.children.get_mut(*name) {
            Some(Node::Dir(dir)) => Ok(dir),
            Some(_) => Err(FsError::BaseNotDirectory),
            None => Err(FsError::EntryNotFound),
        })
    }

    fn remove_file(&mut self, file: &Arc<File>) -> bool {
        let found = self.children.iter().find_map(|(name, node)| match node {
            Node::File(node) if Arc::ptr_eq(node, file) => Some(name.clone()),
            _ => None,
        });
        if let Some(name) = found {
            return self.children.remove(&name).is_some();
        }
        self.children.values_mut().any(|node| match node {
            Node::Dir(dir) => dir.remove_file(file),
            _ => false,
        })
    }

    fn collect(&self, prefix: &str, into: &mut Vec<(String, Bytes)>) {
        for (name, node) in &self.children {
            let path = format!("{prefix}/{name}");
            match node {
                Node::File(file) => into.push((path, file.contents())),
                Node::Dir(dir) => dir.collect(&path, into),
                Node::Link { .. } => {}
            }
        }
    }
}

impl Tree {
    fn parent<'a>(&mut self, path: &'a [&'a str]) -> Result<(&mut Dir, &mut usize, &'a str), FsError> {
        let (name, parent) = path.split_last().ok_or(FsError::AlreadyExists)?;
        Ok((self.root.find_mut(parent)?, &mut self.left, name))
    }

    fn insert(&mut self, path: &[&str], node: impl FnOnce() -> Node) -> Result<&mut Node, FsError> {
        let (parent, left, name) = self.parent(path)?;
        if parent.children.contains_key(name) {
            return Err(FsError::AlreadyExists);
        }
        *left = left.checked_sub(1).ok_or(FsError::WriteZero)?;
        Ok(parent.children.entry(name.to_owned()).or_insert_with(node))
    }

    fn remove(&mut self, path: &[&str], check: impl FnOnce(&Node) -> Result<(), FsError>) -> Result<(), FsError> {
        let (parent, left, name) = self.parent(path)?;
        check(parent.children.get(name).ok_or(FsError::EntryNotFound)?)?;
        parent.children.remove(name);
        *left += 1;
        Ok(())
    }

    fn rename(&mut self, from: &[&str], to: &[&str]) -> Result<(), FsError> {
        if from == to {
            return Ok(());
        }
        if to.starts_with(from) || from.starts_with(to) {
            return Err(FsError::InvalidInput);
        }
        let (parent, _, name) = self.parent(from)?;
        let node = parent.children.get(name).ok_or(FsError::EntryNotFound)?;
        let is_dir = matches!(node, Node::Dir(_));
        if to.len() - 1 + node.height() > MAX_DEPTH {
            return Err(FsError::InvalidInput);
        }
        let (parent, _, name) = self.parent(to)?;
        let replaces = match (parent.children.get(name), is_dir) {
            (None, _) => false,
            (Some(Node::Dir(_)), false) => return Err(FsError::NotAFile),
            (Some(Node::Dir(dir)), true) if !dir.children.is_empty() => return Err(FsError::DirectoryNotEmpty),
            (Some(Node::File(_) | Node::Link { .. }), true) => return Err(FsError::BaseNotDirectory),
            (Some(_), _) => true,
        };
        let (parent, _, name) = self.parent(from)?;
        let node = parent.children.remove(name).ok_or(FsError::EntryNotFound)?;
        let (parent, left, name) = self.parent(to)?;
        parent.children.insert(name.to_owned(), node);
        *left += usize::from(replaces);
        Ok(())
    }
}

impl Files {
    /// Make an empty file system.
    pub(super) fn new(quota: Quota, clock: Arc<dyn Clock>) -> Self {
        Self {
            tree: Arc::new(Mutex::new(Tree { root: Dir::default(), left: quota.entries })),
            space: Arc::new(Space { left: AtomicU64::new(quota.bytes), refused: AtomicBool::new(false) }),
            clock,
        }
    }

    /// Put a file, or a directory when there are no `contents`, at `path`, with the directories that lead to it.
    pub(super) fn add(&self, path: &str, contents: Option<Bytes>) -> Result<(), FsError> {
        let path = components(Path::new(path))?;
        let now = self.now();
        let mut tree = self.lock();
        let parents = path.len() - usize::from(contents.is_some() && !path.is_empty());
        for depth in 1..=parents {
            match tree.insert(&path[..depth], || Node::Dir(Dir { created: now, ..Dir::default() })) {
                Ok(_) | Err(FsError::AlreadyExists) => {}
                Err(error) => return Err(error),
            }
        }
        let Some(contents) = contents else { return Ok(()) };
        let file = Arc::new(File::new(contents, self.space.clone(), now)?);
        tree.insert(&path, || Node::File(file)).map(drop)
    }

    /// A reference that does not keep the files alive.
    #[cfg(test)]
    pub(super) fn downgrade(&self) -> std::sync::Weak<impl Sized + use<>> {
        Arc::downgrade(&self.tree)
    }

    /// The regular files, by path.
    pub(super) fn collect(&self) -> Vec<(String, Bytes)> {
        let mut files = Vec::new();
        self.lock().root.collect("", &mut files);
        files
    }

    /// Say, once, that a write was refused for want of space.
    pub(super) fn take_refused(&self) -> bool {
        self.space.refused.swap(false, Ordering::Relaxed)
    }

    /// Take the name of an open file away.
    pub(super) fn unlink(&self, file: &Arc<File>) -> Result<(), FsError> {
        let mut tree = self.lock();
        if !tree.root.remove_file(file) {
            return Err(FsError::EntryNotFound);
        }
        tree.left += 1;
        Ok(())
    }

    /// Nanoseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.clock.now().timestamp_nanos_opt().and_then(|time| u64::try_from(time).ok()).unwrap_or(0)
    }

    fn metadata_of(&self, path: &Path) -> Result<Metadata, FsError> {
        let path = components(path)?;
        let tree = self.lock();
        let Some((name, parent)) = path.split_last() else { return Ok(tree.root.metadata()) };
        tree.root.find(parent)?.children.get(*name).map(Node::metadata).ok_or(FsError::EntryNotFound)
    }

    fn lock(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names on the way to `path`, which is taken from the root.
fn components(path: &Path) -> Result<Vec<&str>, FsError> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_str().ok_or(FsError::InvalidInput)?),
            Component::ParentDir => drop(names.pop()),
            _ => {}
        }
    }
    if names.len() > MAX_DEPTH || names.iter().any(|name| name.len() > MAX_NAME) {
        return Err(FsError::InvalidInput);
    }
    Ok(names)
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files")
    }
}

impl FileSystem for Files {
    fn readlink(&self, path: &Path) -> virtual_fs::Result<PathBuf> {
        let path = components(path)?;
        let tree = self.lock();
        let (name, parent) = path.split_last().ok_or(FsError::InvalidInput)?;
        match tree.root.find(parent)?.children.get(*name).ok_or(FsError::EntryNotFound)? {
            Node::Link { target, .. } => Ok(target.clone()),
            _ => Err(FsError::InvalidInput),
        }
    }

    fn read_dir(&self, path: &Path) -> virtual_fs::Result<ReadDir> {
        let names = components(path)?;
        let tree = self.lock();
        let entry = |(name, node): (&String, &Node)| virtual_fs::DirEntry {
            path: path.join(name),
            metadata: Ok(node.metadata()),
        };
        Ok(ReadDir::new(tree.root.find(&names)?.children.iter().map(entry).collect()))
    }

    fn create_dir(&self, path: &Path) -> virtual_fs::Result<()> {
        let created = self.now();
        self.lock().insert(&components(path)?, || Node::Dir(Dir { created, ..Dir::default() })).map(drop)
    }

    fn create_symlink(&self, source: &Path, target: &Path) -> virtual_fs::Result<()> {
        let created = self.now();
        self.lock().insert(&components(target)?, || Node::Link { target: source.to_owned(), created }).map(drop)
    }

    fn remove_dir(&self, path: &Path) -> virtual_fs::Result<()> {
        self.lock().remove(&components(path)?, |node| match node {
            Node::Dir(dir) if dir.children.is_empty() => Ok(()),
            Node::Dir(_) => Err(FsError::DirectoryNotEmpty),
            _ => Err(FsError::BaseNotDirectory),
        })
    }

    fn rename<'a>(
        &'a self,
        from: &'a Path,
        to: &'a Path,
    ) -> std::pin::Pin<Box<dyn Future<Output = virtual_fs::Result<()>> + Send + 'a>> {
        let done = components(from).and_then(|from| self.lock().rename(&from, &components(to)?));
        Box::pin(std::future::ready(done))
    }

    fn metadata(&self, path: &Path) -> virtual_fs::Result<Metadata> {
        self.metadata_of(path)
    }

    fn symlink_metadata(&self, path: &Path) -> virtual_fs::Result<Metadata> {
        self.metadata_of(path)
    }

    fn remove_file(&self, path: &Path) -> virtual_fs::Result<()> {
        self.lock().remove(&components(path)?, |node| match node {
            Node::Dir(_) => Err(FsError::NotAFile),
            _ => Ok(()),
        })
    }

    fn new_open_options(&self) -> OpenOptions<'_> {
        OpenOptions::new(self)
    }
}

impl FileOpener for Files {
    fn open(
        &self,
        path: &Path,
        conf: &OpenOptionsConfig,
    ) -> virtual_fs::Result<Box<dyn VirtualFile + Send + Sync + 'static>> {
        let path = components(path)?;
        let (name, parent) = path.split_last().ok_or(FsError::NotAFile)?;
        let mut tree = self.lock();
        let found = match tree.root.find(parent)?.children.get(*name) {
            Some(_) if conf.create_new => return Err(FsError::AlreadyExists),
            Some(Node::File(file)) => Some(file.clone()),
            Some(Node::Dir(_)) => return Err(FsError::NotAFile),
            Some(Node::Link { .. }) => return Err(FsError::InvalidInput),
            None if conf.create || conf.create_new => None,
            None => return Err(FsError::EntryNotFound),
        };
        let file = match found {
            Some(file) => file,
            None => {
                let file = Arc::new(File::new(Bytes::new(), self.space.clone(), self.now())?);
                tree.insert(&path, || Node::File(file.clone()))?;
                file
            }
        };
        drop(tree);
        if conf.truncate {
            file.set_len(0, self.now())?;
        }
        Ok(Box::new(Handle::new(file, self.clone(), conf)))
    }
}
