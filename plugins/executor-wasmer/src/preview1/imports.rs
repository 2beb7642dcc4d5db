//! The host functions as a module imports them.

use std::fmt;

use wasmer::{
    AsStoreMut, ExternType, Function, FunctionEnv, FunctionEnvMut, FunctionType, Imports, Module, RuntimeError,
    StoreMut, Type,
};

use super::{
    Exit, Host,
    abi::{Abi, Answer, Failure},
    paths::OpenRequest,
};

/// What is wrong with an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ImportProblem {
    /// Nothing of this module's name is offered.
    UnknownModule,
    /// The module has nothing of this name.
    UnknownName,
    /// It is a function, and is imported as something else.
    NotFunction,
    /// It is imported with another signature.
    Signature {
        /// The signature it has.
        expected: FunctionType,
        /// The signature it is imported with.
        found: FunctionType,
    },
}

/// An import that cannot be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingImport {
    /// The name of the module imported from.
    pub(crate) module: String,
    /// The name of what is imported.
    pub(crate) name: String,
    /// What is wrong.
    pub(crate) problem: ImportProblem,
}

impl fmt::Display for MissingImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}.{}` ", self.module, self.name)?;
        match &self.problem {
            ImportProblem::UnknownModule => write!(f, "(no such module)"),
            ImportProblem::UnknownName => write!(f, "(no such function)"),
            ImportProblem::NotFunction => write!(f, "(is a function)"),
            ImportProblem::Signature { expected, found } => write!(f, "(has type {expected}, not {found})"),
        }
    }
}

/// Every import of a module that cannot be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingImports(pub(crate) Vec<MissingImport>);

impl fmt::Display for MissingImports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// A module can have a hundred thousand imports; nobody reads that many.
        const SHOWN: usize = 10;
        write!(f, "missing imports: ")?;
        for (index, import) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{import}", if index == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl std::error::Error for MissingImports {}

/// Make the functions that `module` imports.
///
/// # Errors
/// [`MissingImports`] lists every import that is not one of the host's functions with the right signature.
pub(crate) fn imports(
    store: &mut impl AsStoreMut,
    module: &Module,
    env: &FunctionEnv<Host>,
) -> Result<Imports, MissingImports> {
    let mut imports = Imports::new();
    let mut missing = Vec::new();
    let mut store = store.as_store_mut();
    for import in module.imports() {
        match find(import.module(), import.name(), import.ty()) {
            Ok(function) => {
                // A module may import one function as often as it likes; one is enough.
                if !imports.exists(import.module(), import.name()) {
                    imports.define(import.module(), import.name(), (function.make)(&mut store, env));
                }
            }
            Err(problem) => missing.push(MissingImport {
                module: import.module().to_owned(),
                name: import.name().to_owned(),
                problem,
            }),
        }
    }
    if missing.is_empty() { Ok(imports) } else { Err(MissingImports(missing)) }
}

/// Find the function for an import.
fn find(module: &str, name: &str, ty: &ExternType) -> Result<&'static HostFunction, ImportProblem> {
    let look = |table: &'static [HostFunction]| {
        table.binary_search_by(|function| function.name.cmp(name)).ok().map(|index| &table[index])
    };
    let function = match module {
        "wasi_snapshot_preview1" => look(FUNCTIONS),
        "wasi_unstable" if name == "sock_accept" => None,
        "wasi_unstable" => look(UNSTABLE).or_else(|| look(FUNCTIONS)),
        _ => return Err(ImportProblem::UnknownModule),
    };
    let function = function.ok_or(ImportProblem::UnknownName)?;
    let ExternType::Function(found) = ty else { return Err(ImportProblem::NotFunction) };
    if found.params() == function.params && found.results() == function.results {
        return Ok(function);
    }
    let expected = FunctionType::new(function.params, function.results);
    Err(ImportProblem::Signature { expected, found: found.clone() })
}

/// A host function: how it is imported, and how it is made for a store.
struct HostFunction {
    name: &'static str,
    params: &'static [Type],
    results: &'static [Type],
    make: fn(&mut StoreMut<'_>, &FunctionEnv<Host>) -> Function,
}

/// A Rust type as WebAssembly has it.
trait Value {
    const TYPE: Type;
}

impl Value for u32 {
    const TYPE: Type = Type::I32;
}

impl Value for u64 {
    const TYPE: Type = Type::I64;
}

impl Value for i64 {
    const TYPE: Type = Type::I64;
}

/// What a host function gives back.
trait Reply: Sized {
    const TYPES: &'static [Type];
    fn from_errno(errno: u16) -> Self;
}

impl Reply for i32 {
    const TYPES: &'static [Type] = &[Type::I32];
    fn from_errno(errno: u16) -> Self {
        errno.into()
    }
}

/// For `proc_exit`, which never gets to replying.
impl Reply for () {
    const TYPES: &'static [Type] = &[];
    fn from_errno(_errno: u16) {}
}

/// Do a host function's work, unless the execution is to end.
fn call<R: Reply>(
    env: &mut FunctionEnvMut<'_, Host>,
    work: impl FnOnce(&mut Host) -> Answer,
) -> Result<R, RuntimeError> {
    let host = env.data_mut();
    match host.stop.check().map_err(Failure::from).and_then(|()| work(host)) {
        Ok(()) => Ok(R::from_errno(0)),
        Err(Failure::Errno(errno)) => Ok(R::from_errno(errno as u16)),
        Err(Failure::Exit(code)) => Err(RuntimeError::user(Box::new(Exit(code.cast_signed())))),
        Err(Failure::Stopped(stopped)) => Err(RuntimeError::user(Box::new(stopped))),
    }
}

/// Make a table of host functions, sorted by name, from their parameters and what they do with a host.
macro_rules! functions {
    ($table:ident, $host:ident; $($name:ident($($arg:ident: $ty:ty),*) -> $reply:ty = $work:expr;)*) => {
        static $table: &[HostFunction] = &[$(HostFunction {
            name: stringify!($name),
            params: &[$(<$ty as Value>::TYPE),*],
            results: <$reply as Reply>::TYPES,
            make: |store, env| {
                #[allow(clippy::too_many_arguments, reason = "the specification has that many")]
                fn $name(mut env: FunctionEnvMut<'_, Host>, $($arg: $ty),*) -> Result<$reply, RuntimeError> {
                    call(&mut env, |$host| $work)
                }
                Function::new_typed_with_env(store, env, $name)
            },
        }),*];
    };
}

functions! { FUNCTIONS, host;
    args_get(pointers: u32, buffer: u32) -> i32 = host.args_get(pointers, buffer);
    args_sizes_get(count: u32, size: u32) -> i32 = host.args_sizes_get(count, size);
    clock_res_get(id: u32, result: u32) -> i32 = host.clock_res_get(id, result);
    clock_time_get(id: u32, precision: u64, result: u32) -> i32 = host.clock_time_get(id, precision, result);
    environ_get(pointers: u32, buffer: u32) -> i32 = host.environ_get(pointers, buffer);
    environ_sizes_get(count: u32, size: u32) -> i32 = host.environ_sizes_get(count, size);
    fd_advise(fd: u32, offset: u64, length: u64, advice: u32) -> i32 = host.fd_advise(fd, offset, length, advice);
    fd_allocate(fd: u32, offset: u64, length: u64) -> i32 = host.fd_allocate(fd, offset, length);
    fd_close(fd: u32) -> i32 = host.fd_close(fd);
    fd_datasync(fd: u32) -> i32 = host.fd_datasync(fd);
    fd_fdstat_get(fd: u32, result: u32) -> i32 = host.fd_fdstat_get(fd, result);
    fd_fdstat_set_flags(fd: u32, flags: u32) -> i32 = host.fd_fdstat_set_flags(fd, flags);
    fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) -> i32
        = host.fd_fdstat_set_rights(fd, base, inheriting);
    fd_filestat_get(fd: u32, result: u32) -> i32 = host.fd_filestat_get(fd, result, Abi::Preview1);
    fd_filestat_set_size(fd: u32, size: u64) -> i32 = host.fd_filestat_set_size(fd, size);
    fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32) -> i32
        = host.fd_filestat_set_times(fd, accessed, modified, flags);
    fd_pread(fd: u32, buffers: u32, count: u32, offset: u64, result: u32) -> i32
        = host.fd_pread(fd, buffers, count, offset, result);
    fd_prestat_dir_name(fd: u32, path: u32, length: u32) -> i32 = host.fd_prestat_dir_name(fd, path, length);
    fd_prestat_get(fd: u32, result: u32) -> i32 = host.fd_prestat_get(fd, result);
    fd_pwrite(fd: u32, buffers: u32, count: u32, offset: u64, result: u32) -> i32
        = host.fd_pwrite(fd, buffers, count, offset, result);
    fd_read(fd: u32, buffers: u32, count: u32, result: u32) -> i32 = host.fd_read(fd, buffers, count, result);
    fd_readdir(fd: u32, buffer: u32, length: u32, cookie: u64, result: u32) -> i32
        = host.fd_readdir(fd, buffer, length, cookie, result);
    fd_renumber(from: u32, to: u32) -> i32 = host.fd_renumber(from, to);
    fd_seek(fd: u32, delta: i64, whence: u32, result: u32) -> i32
        = host.fd_seek(fd, delta, whence, result, Abi::Preview1);
    fd_sync(fd: u32) -> i32 = host.fd_sync(fd);
    fd_tell(fd: u32, result: u32) -> i32 = host.fd_tell(fd, result);
    fd_write(fd: u32, buffers: u32, count: u32, result: u32) -> i32 = host.fd_write(fd, buffers, count, result);
    path_create_directory(fd: u32, path: u32, length: u32) -> i32 = host.path_create_directory(fd, path, length);
    path_filestat_get(fd: u32, lookup: u32, path: u32, length: u32, result: u32) -> i32
        = host.path_filestat_get(fd, lookup, (path, length), result, Abi::Preview1);
    path_filestat_set_times(
        fd: u32, lookup: u32, path: u32, length: u32, accessed: u64, modified: u64, flags: u32
    ) -> i32 = host.path_filestat_set_times(fd, lookup, (path, length), (accessed, modified, flags));
    path_link(fd: u32, lookup: u32, path: u32, length: u32, new_fd: u32, new_path: u32, new_length: u32) -> i32
        = host.path_link((fd, path, length), lookup, (new_fd, new_path, new_length));
    path_open(
        fd: u32, lookup: u32, path: u32, length: u32, oflags: u32, base: u64, inheriting: u64, fdflags: u32,
        result: u32
    ) -> i32 = host.path_open(fd, (path, length), OpenRequest { lookup, oflags, base, inheriting, fdflags }, result);
    path_readlink(fd: u32, path: u32, length: u32, buffer: u32, size: u32, result: u32) -> i32
        = host.path_readlink(fd, (path, length), (buffer, size), result);
    path_remove_directory(fd: u32, path: u32, length: u32) -> i32 = host.path_remove_directory(fd, path, length);
    path_rename(fd: u32, path: u32, length: u32, new_fd: u32, new_path: u32, new_length: u32) -> i32
        = host.path_rename((fd, path, length), (new_fd, new_path, new_length));
    path_symlink(target: u32, size: u32, fd: u32, path: u32, length: u32) -> i32
        = host.path_symlink((target, size), fd, (path, length));
    path_unlink_file(fd: u32, path: u32, length: u32) -> i32 = host.path_unlink_file(fd, path, length);
    poll_oneoff(list: u32, events: u32, count: u32, result: u32) -> i32
        = host.poll_oneoff(list, events, count, result, Abi::Preview1);
    proc_exit(code: u32) -> () = host.proc_exit(code);
    proc_raise(signal: u32) -> i32 = host.proc_raise(signal);
    random_get(buffer: u32, length: u32) -> i32 = host.random_get(buffer, length);
    sched_yield() -> i32 = host.sched_yield();
    sock_accept(fd: u32, flags: u32, result: u32) -> i32 = host.sock_accept(fd, flags, result);
    sock_recv(fd: u32, buffers: u32, count: u32, flags: u32, length: u32, out_flags: u32) -> i32
        = host.sock_recv(fd, buffers, count, flags, length, out_flags);
    sock_send(fd: u32, buffers: u32, count: u32, flags: u32, result: u32) -> i32
        = host.sock_send(fd, buffers, count, flags, result);
    sock_shutdown(fd: u32, how: u32) -> i32 = host.sock_shutdown(fd, how);
}

// What `wasi_unstable` has otherwise. It lacks `sock_accept`; everything else is as above.
functions! { UNSTABLE, host;
    fd_filestat_get(fd: u32, result: u32) -> i32 = host.fd_filestat_get(fd, result, Abi::Unstable);
    fd_seek(fd: u32, delta: i64, whence: u32, result: u32) -> i32
        = host.fd_seek(fd, delta, whence, result, Abi::Unstable);
    path_filestat_get(fd: u32, lookup: u32, path: u32, length: u32, result: u32) -> i32
        = host.path_filestat_get(fd, lookup, (path, length), result, Abi::Unstable);
    poll_oneoff(list: u32, events: u32, count: u32, result: u32) -> i32
        = host.poll_oneoff(list, events, count, result, Abi::Unstable);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_as_the_search_needs_them() {
        for table in [FUNCTIONS, UNSTABLE] {
            assert!(table.is_sorted_by(|a, b| a.name < b.name));
        }
        assert_eq!(FUNCTIONS.len(), 46);
    }
}
