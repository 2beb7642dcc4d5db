//! Inodes, names, and what they cost.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use super::{Error, Kind, Quota, Stat, Times, Timestamp, Usage, contents::Contents};

/// The place of an inode in [`Tree::nodes`]. Places are used again, inode numbers are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u32);

impl Id {
    pub(crate) const ROOT: Self = Self(0);
}

/// What an inode is.
pub(super) enum Body {
    File(Contents),
    Directory(Directory),
    Symlink(Arc<str>),
    /// A free place, waiting for the next inode.
    Free,
}

pub(super) struct Node {
    /// The inode number.
    pub(crate) serial: u64,
    pub(crate) links: u64,
    /// Open handles. An inode goes when it has neither names nor handles.
    pub(crate) handles: usize,
    pub(crate) times: Times,
    pub(crate) body: Body,
}

/// A directory's names, in the order they were made: a name's cookie stays the same as long as it exists,
/// so that a reader can go on where it stopped, whatever else comes and goes.
pub(super) struct Directory {
    pub(crate) parent: Id,
    /// The cookie of the next new name. Those below [`Directory::FIRST`] are `.` and `..`.
    next: u64,
    by_name: BTreeMap<Arc<str>, u64>,
    by_cookie: BTreeMap<u64, (Arc<str>, Id)>,
}

impl Directory {
    const FIRST: u64 = 3;

    pub(crate) fn new(parent: Id) -> Self {
        Self { parent, next: Self::FIRST, by_name: BTreeMap::new(), by_cookie: BTreeMap::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Id> {
        self.by_cookie.get(self.by_name.get(name)?).map(|(_, id)| *id)
    }

    /// The names that come after `cookie`.
    pub(crate) fn after(&self, cookie: u64) -> impl Iterator<Item = (u64, &Arc<str>, Id)> {
        let range = (Bound::Excluded(cookie), Bound::Unbounded);
        self.by_cookie.range(range).map(|(cookie, (name, id))| (*cookie, name, *id))
    }

    fn insert(&mut self, name: &str, id: Id) {
        let name: Arc<str> = name.into();
        self.by_name.insert(name.clone(), self.next);
        self.by_cookie.insert(self.next, (name, id));
        self.next += 1;
    }

    fn remove(&mut self, name: &str) -> Option<Id> {
        let cookie = self.by_name.remove(name)?;
        self.by_cookie.remove(&cookie).map(|(_, id)| id)
    }
}

pub(super) struct Tree {
    nodes: Vec<Node>,
    free: Vec<Id>,
    quota: Quota,
    pub(crate) used: Usage,
    /// Inodes made so far.
    serial: u64,
}

impl Tree {
    pub(crate) fn new(quota: Quota, now: Timestamp) -> Self {
        let times = Times { accessed: now, modified: now, changed: now };
        let body = Body::Directory(Directory::new(Id::ROOT));
        // The root holds a handle of its own, so that it never goes.
        let root = Node { serial: 1, links: 2, handles: 1, times, body };
        Self { nodes: vec![root], free: Vec::new(), quota, used: Usage::default(), serial: 1 }
    }

    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub(crate) fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    pub(crate) fn kind(&self, id: Id) -> Kind {
        match &self.node(id).body {
            Body::Directory(_) => Kind::Directory,
            Body::Symlink(_) => Kind::Symlink,
            Body::File(_) | Body::Free => Kind::File,
        }
    }

    pub(crate) fn stat(&self, id: Id) -> Stat {
        let node = self.node(id);
        let size = match &node.body {
            Body::File(contents) => contents.len(),
            Body::Symlink(target) => target.len() as u64,
            Body::Directory(_) | Body::Free => 0,
        };
        Stat { inode: node.serial, kind: self.kind(id), links: node.links, size, times: node.times }
    }

    pub(crate) fn directory(&self, id: Id) -> Result<&Directory, Error> {
        match &self.node(id).body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(Error::NotDirectory),
        }
    }

    fn directory_mut(&mut self, id: Id) -> Result<&mut Directory, Error> {
        match &mut self.node_mut(id).body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(Error::NotDirectory),
        }
    }

    /// Bytes the quota leaves.
    pub(crate) fn room(&self) -> u64 {
        self.quota.bytes.saturating_sub(self.used.bytes)
    }

    fn charge_entries(&mut self, count: usize) -> Result<(), Error> {
        let used = self.used.entries.saturating_add(count);
        if used > self.quota.entries {
            return Err(Error::NoSpace);
        }
        self.used.entries = used;
        Ok(())
    }

    /// Make an inode with its first name.
    pub(crate) fn create(&mut self, body: Body, parent: Id, name: &str, now: Timestamp) -> Result<Id, Error> {
        if self.node(parent).links == 0 {
            return Err(Error::NotFound);
        }
        let bytes = match &body {
            Body::File(contents) => contents.len(),
            Body::Symlink(target) => target.len() as u64,
            Body::Directory(_) | Body::Free => 0,
        };
        if bytes > self.room() {
            return Err(Error::NoSpace);
        }
        let place = u32::try_from(self.nodes.len()).map_err(|_| Error::NoSpace)?;
        self.charge_entries(2)?;
        self.used.bytes += bytes;
        self.serial += 1;
        let links = if matches!(body, Body::Directory(_)) { 2 } else { 1 };
        let times = Times { accessed: now, modified: now, changed: now };
        let node = Node { serial: self.serial, links, handles: 0, times, body };
        let id = match self.free.pop() {
            Some(id) => {
                *self.node_mut(id) = node;
                id
            }
            None => {
                self.nodes.push(node);
                Id(place)
            }
        };
        self.enter(parent, name, id, now)?;
        Ok(id)
    }

    /// Give a file or symbolic link one more name.
    pub(crate) fn link(&mut self, id: Id, parent: Id, name: &str, now: Timestamp) -> Result<(), Error> {
        if self.node(parent).links == 0 {
            return Err(Error::NotFound);
        }
        self.charge_entries(1)?;
        self.node_mut(id).links += 1;
        self.node_mut(id).times.changed = now;
        self.enter(parent, name, id, now)
    }

    /// Put a name that is paid for into a directory.
    fn enter(&mut self, parent: Id, name: &str, id: Id, now: Timestamp) -> Result<(), Error> {
        self.directory_mut(parent)?.insert(name, id);
        if let Body::Directory(directory) = &mut self.node_mut(id).body {
            directory.parent = parent;
            self.node_mut(parent).links += 1;
        }
        self.touch(parent, now);
        Ok(())
    }

    /// Take a name away, and with the last one the inode.
    pub(crate) fn unlink(&mut self, parent: Id, name: &str, now: Timestamp) -> Result<(), Error> {
        let Some(id) = self.leave(parent, name, now)? else { return Err(Error::NotFound) };
        self.used.entries -= 1;
        let node = self.node_mut(id);
        node.times.changed = now;
        node.links = if matches!(node.body, Body::Directory(_)) { 0 } else { node.links - 1 };
        self.release(id);
        Ok(())
    }

    /// Take a name out of a directory. The caller accounts for it.
    fn leave(&mut self, parent: Id, name: &str, now: Timestamp) -> Result<Option<Id>, Error> {
        let Some(id) = self.directory_mut(parent)?.remove(name) else { return Ok(None) };
        if self.kind(id) == Kind::Directory {
            self.node_mut(parent).links -= 1;
        }
        self.touch(parent, now);
        Ok(Some(id))
    }

    /// Move a name, over what the new name led to before. The caller checked that this may be done.
    pub(crate) fn move_name(&mut self, from: (Id, &str), to: (Id, &str), now: Timestamp) -> Result<(), Error> {
        if self.node(to.0).links == 0 {
            return Err(Error::NotFound);
        }
        let Some(id) = self.leave(from.0, from.1, now)? else { return Err(Error::NotFound) };
        if self.directory(to.0)?.get(to.1).is_some() {
            self.unlink(to.0, to.1, now)?;
        }
        self.node_mut(id).times.changed = now;
        self.enter(to.0, to.1, id, now)
    }

    fn touch(&mut self, directory: Id, now: Timestamp) {
        let times = &mut self.node_mut(directory).times;
        times.modified = now;
        times.changed = now;
    }

    /// Give an inode up if nothing leads to it any more.
    pub(crate) fn release(&mut self, id: Id) {
        let node = self.node_mut(id);
        if node.links > 0 || node.handles > 0 {
            return;
        }
        let bytes = match std::mem::replace(&mut node.body, Body::Free) {
            Body::File(contents) => contents.len(),
            Body::Symlink(target) => target.len() as u64,
            Body::Directory(_) | Body::Free => 0,
        };
        self.used.bytes -= bytes;
        self.used.entries -= 1;
        self.free.push(id);
    }
}
