//! Putting the rules between a guest and wasmer-wasix.

use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;
use wasmer::{AsStoreMut, Function, FunctionEnv, FunctionEnvMut, RuntimeError, Value};
use wasmer_wasix::wasmer_wasix_types::wasi::Errno;

use super::{
    guest::{Answer, Failure, Guest, Kept},
    rules::{Rule, Step, rule},
};

/// The guest ended itself with this exit code. (The one of wasmer-wasix keeps 16 bits of it.)
#[derive(Clone, Copy, Debug, Error)]
#[error("exited with code {0}")]
pub(super) struct Exited(pub(super) i32);

/// wasmer-wasix panicked; the execution is over, the process is not.
#[derive(Debug, Error)]
#[error("wasmer-wasix failed in {0}")]
pub(super) struct Panicked(pub(super) String);

#[derive(Debug, Error)]
enum Refused {
    #[error("{0} is not permitted here")]
    Denied(String),
    #[error("{0} was called before the instance was ready")]
    NotReady(String),
}

/// Calls that may go to wasmer-wasix while it is in one already. It can run the guest's signal handler in any call,
/// that handler may call again, and each level takes a piece of the host's stack.
const MAX_NESTED: u8 = 4;

/// Make the function that a guest gets for `original`.
pub(super) fn bind(store: &mut impl AsStoreMut, env: &FunctionEnv<Kept>, name: &str, original: Function) -> Function {
    let ty = original.ty(store);
    let name = name.to_owned();
    let answers = !ty.results().is_empty();
    match rule(&name) {
        Some(rule) => Function::new_with_env(store, env, ty, move |env, args| {
            let errno = call(env, args, &name, rule, &original)?;
            Ok(if answers { vec![Value::I32(errno)] } else { Vec::new() })
        }),
        None if !answers => Function::new_with_env(store, env, ty, move |_, _| -> Result<Vec<Value>, RuntimeError> {
            Err(RuntimeError::user(Box::new(Refused::Denied(name.clone()))))
        }),
        None => {
            let errno = number(Errno::Notsup);
            // The one function that answers with a thread's number, and with a negative one where there is none.
            let answer = if name == "thread-spawn" { -errno } else { errno };
            Function::new_with_env(store, env, ty, move |_, _| Ok(vec![Value::I32(answer)]))
        }
    }
}

fn call(
    mut env: FunctionEnvMut<'_, Kept>,
    args: &[Value],
    name: &str,
    rule: Rule,
    original: &Function,
) -> Result<i32, RuntimeError> {
    let errno = match with_guest(&mut env, args, name, rule.before)? {
        Err(errno) => number(errno),
        Ok(Step::Done) => 0,
        Ok(Step::Original) if env.data().nested >= MAX_NESTED => number(Errno::Again),
        Ok(Step::Original) => {
            env.data_mut().nested += 1;
            // A panic here is caught so that it costs the guest its execution and nobody else theirs.
            let answer = catch_unwind(AssertUnwindSafe(|| original.call(&mut env, args)));
            let kept = env.data_mut();
            kept.nested -= 1;
            let answer = answer.map_err(|_| RuntimeError::user(Box::new(Panicked(name.to_owned()))))?;
            kept.stop.check().map_err(|stopped| RuntimeError::user(Box::new(stopped)))?;
            if let Some(exited) = kept.exited {
                // It was a signal handler that exited, of which wasmer-wasix makes an error of its own.
                return Err(RuntimeError::user(Box::new(exited)));
            }
            let refused = kept.files.take_refused();
            match answer?.first() {
                Some(Value::I32(0)) | None => match rule.after {
                    Some(after) => with_guest(&mut env, args, name, after)?.map_or_else(number, |()| 0),
                    None => 0,
                },
                // wasmer-wasix has no error of its own for a full file system.
                Some(Value::I32(errno)) if refused && *errno == number(Errno::Io) => number(Errno::Nospc),
                Some(Value::I32(errno)) => *errno,
                Some(_) => number(Errno::Io),
            }
        }
    };
    Ok(errno)
}

fn with_guest<T>(
    env: &mut FunctionEnvMut<'_, Kept>,
    args: &[Value],
    name: &str,
    part: fn(&mut Guest<'_>) -> Answer<T>,
) -> Result<Result<T, Errno>, RuntimeError> {
    let (kept, store) = env.data_and_store_mut();
    let Some(memory) = kept.memory.clone() else {
        return Err(RuntimeError::user(Box::new(Refused::NotReady(name.to_owned()))));
    };
    match part(&mut Guest { kept, memory: memory.view(&store), args }) {
        Ok(done) => Ok(Ok(done)),
        Err(Failure::Errno(errno)) => Ok(Err(errno)),
        Err(Failure::Trap(error)) => Err(error),
    }
}

fn number(errno: Errno) -> i32 {
    i32::from(errno as u16)
}
