//! Which WASIX functions a guest may call, and what happens before wasmer-wasix sees the call.
//!
//! A function that is not named here is refused with `ENOTSUP`, whatever a later wasmer-wasix makes of it. What is
//! refused, and why:
//! - `thread_spawn*`, `proc_fork*`, `proc_exec*`, `proc_spawn*`, `sock_*`, `port_*`, `resolve`, `dlopen`, `dlsym`,
//!   `tty_*`: no policy grants them.
//! - `stack_checkpoint`, `stack_restore`: every checkpoint keeps a copy of the stack until the process ends.
//! - `context_*`, `call_dynamic`, `closure_*`, `reflect_signature`: can panic, and compile code for the guest.
//! - `epoll_*`: what it watches are wasmer-wasix's own pipes and counters, and those are not used.
//! - `path_link`: links directories into each other, which is never freed and counts against no quota.
//! - `proc_raise_interval`: timers are looked at in some calls only, and no guest gets a timer of the host's.
//! - `clock_time_set`: the clock is the host's.

use wasmer::RuntimeError;
use wasmer_wasix::wasmer_wasix_types::wasi::Errno;

use super::{
    calls::Exited,
    descriptors::{Descriptor, End, Event, Kind},
    guest::{Answer, Failure, Guest},
    streams, waits,
};

/// How a call goes on after its check.
pub(super) enum Step {
    /// wasmer-wasix answers it.
    Original,
    /// It was answered, with success.
    Done,
}

/// What goes with a function.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// Checks the arguments, or answers the call.
    pub(super) before: fn(&mut Guest<'_>) -> Answer<Step>,
    /// Keeps account of what wasmer-wasix did with success.
    pub(super) after: Option<fn(&mut Guest<'_>) -> Answer<()>>,
}

/// `PATH_MAX` without its NUL. wasmer-wasix walks the path component by component and follows links in each.
const MAX_PATH: u32 = 1023;

/// The rule of a function, or none when it is refused.
#[rustfmt::skip]
pub(super) fn rule(name: &str) -> Option<Rule> {
    let before: fn(&mut Guest<'_>) -> Answer<Step> = match name {
        "args_get" | "args_sizes_get" | "environ_get" | "environ_sizes_get" | "fd_advise" | "fd_allocate" | "fd_close"
        | "fd_datasync" | "fd_fdflags_get" | "fd_fdflags_set" | "fd_fdstat_get" | "fd_fdstat_set_flags"
        | "fd_fdstat_set_rights" | "fd_filestat_get" | "fd_filestat_set_size" | "fd_filestat_set_times"
        | "fd_prestat_dir_name" | "fd_prestat_get" | "fd_readdir" | "fd_sync" | "getcwd" | "proc_id" | "proc_parent"
        | "proc_raise" | "proc_signal" | "proc_signals_get" | "proc_signals_sizes_get" | "thread_id"
        | "thread_parallelism" | "thread_signal" => |_| Ok(Step::Original),
        "callback_signal" | "chdir" => |guest| path(guest, 1),
        "clock_res_get" => waits::clock_res_get,
        "clock_time_get" => waits::clock_time_get,
        "fd_dup" => |guest| opens(guest, &[1]),
        "fd_dup2" => |guest| { number(guest, 1)?; opens(guest, &[3]) },
        "fd_event" => |guest| opens(guest, &[2]),
        "fd_pipe" => |guest| opens(guest, &[0, 1]),
        "fd_pread" | "fd_pwrite" => streams::positioned,
        "fd_read" => streams::fd_read,
        "fd_renumber" => renumbers,
        "fd_seek" | "fd_tell" => streams::seekable,
        "fd_write" => streams::fd_write,
        "futex_wait" => waits::futex_wait,
        "futex_wake" | "futex_wake_all" => waits::futex_wake,
        "path_create_directory" | "path_readlink" | "path_remove_directory" | "path_unlink_file" => |guest| path(guest, 2),
        "path_filestat_get" | "path_filestat_set_times" => |guest| path(guest, 3),
        "path_open" => |guest| { path(guest, 3)?; opens(guest, &[8]) },
        "path_open2" => |guest| { path(guest, 3)?; opens(guest, &[9]) },
        "path_rename" => |guest| { path(guest, 2)?; path(guest, 5) },
        "path_symlink" => |guest| { path(guest, 1)?; path(guest, 4) },
        "poll_oneoff" => waits::poll_oneoff,
        "proc_exit" | "proc_exit2" | "thread_exit" => exit,
        "proc_join" => |_| Err(Errno::Child.into()),
        "random_get" => waits::random_get,
        "sched_yield" => waits::sched_yield,
        "thread_join" => |_| Err(Errno::Srch.into()),
        "thread_sleep" => waits::thread_sleep,
        _ => return None,
    };
    let after: Option<fn(&mut Guest<'_>) -> Answer<()>> = match name {
        "fd_close" => Some(|guest| { guest.kept.descriptors.remove(guest.arg(0)); Ok(()) }),
        "fd_dup" => Some(|guest| copied(guest, guest.read_u32(guest.arg(1).into())?)),
        "fd_dup2" => Some(|guest| copied(guest, guest.read_u32(guest.arg(3).into())?)),
        "fd_event" => Some(event_opened),
        "fd_fdstat_set_flags" => Some(flags_set),
        "fd_pipe" => Some(pipe_opened),
        "fd_renumber" => Some(|guest| copied(guest, guest.arg(1))),
        "path_open" => Some(|guest| opened(guest, 8, Kind::Plain)),
        "path_open2" => Some(|guest| opened(guest, 9, Kind::Plain)),
        _ => None,
    };
    Some(Rule { before, after })
}

/// Refuse a path that is too long to walk.
fn path(guest: &mut Guest<'_>, len: usize) -> Answer<Step> {
    if guest.arg(len) > MAX_PATH { Err(Errno::Nametoolong.into()) } else { Ok(Step::Original) }
}

/// Refuse to open more descriptors than there may be, or where their numbers could not be told.
fn opens(guest: &mut Guest<'_>, pointers: &[usize]) -> Answer<Step> {
    for pointer in pointers {
        guest.writable(*pointer, 4)?;
    }
    if guest.kept.descriptors.room_for(pointers.len().max(1)) { Ok(Step::Original) } else { Err(Errno::Mfile.into()) }
}

/// fd_renumber(from, to), which here leaves `from` open, as dup2 does.
fn renumbers(guest: &mut Guest<'_>) -> Answer<Step> {
    number(guest, 1)?;
    let replaces = guest.kept.descriptors.get(guest.arg(1)).is_some();
    if replaces { Ok(Step::Original) } else { opens(guest, &[]) }
}

/// Refuse a number that is too large for a descriptor: the table is as long as the largest.
fn number(guest: &mut Guest<'_>, fd: usize) -> Answer<Step> {
    if guest.kept.descriptors.allows(guest.arg(fd)) { Ok(Step::Original) } else { Err(Errno::Badf.into()) }
}

fn exit(guest: &mut Guest<'_>) -> Answer<Step> {
    let exited = Exited(guest.arg(0).cast_signed());
    guest.kept.exited = Some(exited);
    Err(Failure::Trap(RuntimeError::user(Box::new(exited))))
}

fn opened(guest: &mut Guest<'_>, pointer: usize, kind: Kind) -> Answer<()> {
    let fd = guest.read_u32(guest.arg(pointer).into())?;
    guest.kept.descriptors.insert(fd, Descriptor::new(kind));
    Ok(())
}

fn pipe_opened(guest: &mut Guest<'_>) -> Answer<()> {
    let (reader, writer) = End::pair();
    opened(guest, 0, Kind::Reader(reader))?;
    opened(guest, 1, Kind::Writer(writer))
}

fn event_opened(guest: &mut Guest<'_>) -> Answer<()> {
    /// `EFD_SEMAPHORE`
    const SEMAPHORE: u32 = 1;
    let event = Event::new(guest.arg64(0), guest.arg(1) & SEMAPHORE != 0);
    opened(guest, 2, Kind::Event(event.into()))
}

fn copied(guest: &mut Guest<'_>, to: u32) -> Answer<()> {
    let copy = guest.kept.descriptors.get(guest.arg(0)).cloned().unwrap_or(Descriptor::new(Kind::Plain));
    guest.kept.descriptors.insert(to, copy);
    Ok(())
}

fn flags_set(guest: &mut Guest<'_>) -> Answer<()> {
    /// `fdflags::nonblock`
    const NONBLOCK: u32 = 4;
    let nonblocking = guest.arg(1) & NONBLOCK != 0;
    if let Some(descriptor) = guest.kept.descriptors.get_mut(guest.arg(0)) {
        descriptor.nonblocking = nonblocking;
    }
    Ok(())
}
