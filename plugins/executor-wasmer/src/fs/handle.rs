//! Open files and directories, through which all work is done.

use std::{ops::ControlFlow, sync::Arc};

use super::{
    Error, FileSystem, Follow, Kind, SetTimes, Stat, Timestamp,
    tree::{Id, Tree},
};

/// How to open a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Open {
    /// Go through a symbolic link at the end of the path; without it such a link is [`Error::Loop`].
    pub(crate) follow: bool,
    /// Make the file if it is not there.
    pub(crate) create: bool,
    /// Together with `create`: fail if anything is there.
    pub(crate) exclusive: bool,
    /// Empty the file.
    pub(crate) truncate: bool,
    /// Fail if it is not a directory.
    pub(crate) directory: bool,
    /// The file is to be written, which a directory cannot be.
    pub(crate) write: bool,
}

/// One name of a directory, as [`Handle::read_directory`] gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DirEntry<'a> {
    /// Where to go on after this entry.
    pub(crate) cookie: u64,
    /// The inode number behind the name.
    pub(crate) inode: u64,
    /// What is behind the name.
    pub(crate) kind: Kind,
    /// The name.
    pub(crate) name: &'a str,
}

/// An open file or directory. It stays usable when its last name goes.
pub(crate) struct Handle {
    system: FileSystem,
    id: Id,
}

impl Handle {
    /// Make the handle of an inode whose count of handles was raised for it.
    pub(super) fn opened(system: FileSystem, id: Id) -> Self {
        Self { system, id }
    }

    /// What is known of it.
    pub(crate) fn stat(&self) -> Stat {
        self.system.lock().stat(self.id)
    }

    /// Copy the bytes at `offset` into `buffer`; says how many there were.
    ///
    /// # Errors
    /// [`Error::IsDirectory`].
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        self.system.lock().read(self.id, offset, buffer)
    }

    /// Write at `offset`, filling a gap before it with zeros. Says how many bytes the quota had room for.
    ///
    /// # Errors
    /// [`Error::NoSpace`] when it had room for none, [`Error::TooLarge`], [`Error::IsDirectory`].
    pub(crate) fn write(&self, offset: u64, bytes: &[u8], now: Timestamp) -> Result<usize, Error> {
        self.system.lock().write(self.id, offset, bytes, now)
    }

    /// Write at the end. Says how many bytes the quota had room for, and where the end is then.
    ///
    /// # Errors
    /// As [`Handle::write`].
    pub(crate) fn append(&self, bytes: &[u8], now: Timestamp) -> Result<(usize, u64), Error> {
        let mut tree = self.system.lock();
        let end = tree.contents(self.id)?.len();
        let count = tree.write(self.id, end, bytes, now)?;
        Ok((count, end + count as u64))
    }

    /// Cut the file off at `size`, or fill it up to there with zeros.
    ///
    /// # Errors
    /// [`Error::NoSpace`], [`Error::TooLarge`], [`Error::IsDirectory`]; the file is as before then.
    pub(crate) fn resize(&self, size: u64, now: Timestamp) -> Result<(), Error> {
        self.system.lock().resize(self.id, size, now)
    }

    /// Fill the file up to `size` with zeros, if it is shorter.
    ///
    /// # Errors
    /// As [`Handle::resize`].
    pub(crate) fn reserve(&self, size: u64, now: Timestamp) -> Result<(), Error> {
        let mut tree = self.system.lock();
        if tree.contents(self.id)?.len() < size { tree.resize(self.id, size, now) } else { Ok(()) }
    }

    /// Set time stamps.
    pub(crate) fn set_times(&self, times: SetTimes, now: Timestamp) {
        set_times(&mut self.system.lock(), self.id, times, now);
    }

    /// Hand the entries after `cookie` (0 for all) to `visit`, first `.` and `..`, until it breaks.
    ///
    /// A name keeps its cookie, so that reading goes on correctly while names come and go.
    ///
    /// # Errors
    /// [`Error::NotDirectory`].
    pub(crate) fn read_directory(
        &self,
        cookie: u64,
        mut visit: impl FnMut(DirEntry<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let tree = self.system.lock();
        let directory = tree.directory(self.id)?;
        if tree.node(self.id).links == 0 {
            return Ok(());
        }
        let dots = [(1, ".", self.id), (2, "..", directory.parent)].into_iter().filter(|(at, ..)| *at > cookie);
        let names = directory.after(cookie).map(|(at, name, id)| (at, &**name, id));
        for (cookie, name, id) in dots.chain(names) {
            let entry = DirEntry { cookie, inode: tree.node(id).serial, kind: tree.kind(id), name };
            if visit(entry).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Say what `path` leads to, if anything is there.
    ///
    /// # Errors
    /// Whatever is wrong with the path other than its last name not being there.
    pub(crate) fn find(&self, path: &str, follow: bool) -> Result<Option<Kind>, Error> {
        let tree = self.system.lock();
        let place = tree.resolve(self.id, path, at_the_end(follow))?;
        Ok(place.existing().ok().map(|id| tree.kind(id)))
    }

    /// Open what `path` leads to.
    ///
    /// # Errors
    /// As `open(2)` of Linux has them.
    pub(crate) fn open(&self, path: &str, open: &Open, now: Timestamp) -> Result<Self, Error> {
        let mut tree = self.system.lock();
        let id = tree.open(self.id, path, open, now)?;
        tree.node_mut(id).handles += 1;
        Ok(Self { system: self.system.clone(), id })
    }

    /// What is known of what `path` leads to.
    ///
    /// # Errors
    /// [`Error::NotFound`] and whatever else is wrong with the path.
    pub(crate) fn stat_at(&self, path: &str, follow: bool) -> Result<Stat, Error> {
        let tree = self.system.lock();
        let id = tree.resolve(self.id, path, at_the_end(follow))?.existing()?;
        Ok(tree.stat(id))
    }

    /// Set time stamps of what `path` leads to.
    ///
    /// # Errors
    /// As [`Handle::stat_at`].
    pub(crate) fn set_times_at(&self, path: &str, follow: bool, times: SetTimes, now: Timestamp) -> Result<(), Error> {
        let mut tree = self.system.lock();
        let id = tree.resolve(self.id, path, at_the_end(follow))?.existing()?;
        set_times(&mut tree, id, times, now);
        Ok(())
    }

    /// Make a directory.
    ///
    /// # Errors
    /// As `mkdir(2)`.
    pub(crate) fn make_directory(&self, path: &str, now: Timestamp) -> Result<(), Error> {
        self.system.lock().make_directory(self.id, path, now).map(drop)
    }

    /// Remove an empty directory.
    ///
    /// # Errors
    /// As `rmdir(2)`.
    pub(crate) fn remove_directory(&self, path: &str, now: Timestamp) -> Result<(), Error> {
        self.system.lock().remove_directory(self.id, path, now)
    }

    /// Remove a name of a file or symbolic link.
    ///
    /// # Errors
    /// As `unlink(2)`.
    pub(crate) fn remove_file(&self, path: &str, now: Timestamp) -> Result<(), Error> {
        self.system.lock().remove_file(self.id, path, now)
    }

    /// Make a symbolic link at `path` with the text `target`.
    ///
    /// # Errors
    /// As `symlink(2)`, and [`Error::Escapes`] for an absolute target.
    pub(crate) fn make_symlink(&self, target: &str, path: &str, now: Timestamp) -> Result<(), Error> {
        self.system.lock().make_symlink(target, self.id, path, now)
    }

    /// The text of a symbolic link.
    ///
    /// # Errors
    /// As `readlink(2)`.
    pub(crate) fn read_symlink(&self, path: &str) -> Result<Arc<str>, Error> {
        self.system.lock().read_symlink(self.id, path)
    }

    /// Give the file at `old` one more name, `new` in `directory`.
    ///
    /// # Errors
    /// As `link(2)`.
    pub(crate) fn make_link(&self, old: &str, directory: &Self, new: &str, now: Timestamp) -> Result<(), Error> {
        self.same_system(directory)?;
        self.system.lock().make_link((self.id, old), (directory.id, new), now)
    }

    /// Move `old` to `new` in `directory`, over what may be there.
    ///
    /// # Errors
    /// As `rename(2)`.
    pub(crate) fn rename(&self, old: &str, directory: &Self, new: &str, now: Timestamp) -> Result<(), Error> {
        self.same_system(directory)?;
        self.system.lock().rename((self.id, old), (directory.id, new), now)
    }

    fn same_system(&self, other: &Self) -> Result<(), Error> {
        if Arc::ptr_eq(&self.system.0, &other.system.0) { Ok(()) } else { Err(Error::CrossDevice) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut tree = self.system.lock();
        tree.node_mut(self.id).handles -= 1;
        tree.release(self.id);
    }
}

fn at_the_end(follow: bool) -> Follow {
    if follow { Follow::Always } else { Follow::Slash }
}

fn set_times(tree: &mut Tree, id: Id, set: SetTimes, now: Timestamp) {
    let times = &mut tree.node_mut(id).times;
    times.accessed = set.accessed.unwrap_or(times.accessed);
    times.modified = set.modified.unwrap_or(times.modified);
    times.changed = now;
}
