//! `wasmwiz run`: one execution through the same pipeline as the server's, with no server and no data folder.

use std::{
    fs,
    io::{self, IsTerminal, Read, Write},
    path::PathBuf,
    process::ExitCode,
};

use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use wasmwiz_core::{
    Platform,
    config::Config,
    execution::{self, Input, Invocation, RequestedLimits},
    files::FileGlobs,
    platform::{Execution, Target},
    principal::{Principal, Role, Scopes, User},
    system::System,
};

use super::{
    Ending, Failure,
    invocation::InvocationArgs,
    output,
    settings::Settings,
    verdict::{self, NOT_RUN, Place},
};

/// The key of the memory that all executions share, which one of them may need alone.
const POOL: &str = "executor.wasmer.memory_pool_bytes";
/// Chunks on their way into or out of the guest; each has at most [`CHUNK`] bytes.
const CHUNKS: usize = 4;
/// Bytes read from standard input at a time: what a pipe holds on Linux (pipe(7)).
const CHUNK: usize = 64 << 10;

/// Run a module here, without a server, as a program in a pipe: it reads standard input and writes standard output.
///
/// It has the same sandbox, limits and verdicts as on a server: no network, none of your files, none of your
/// environment. The limits are those of the configuration's highest tier, `pro` by default; flags may go beyond them.
/// Input from a terminal is not read.
#[derive(Debug, Args)]
#[command(after_help = verdict::EXIT_CODES)]
pub(super) struct Run {
    /// The module: WebAssembly's binary format (.wasm) or its text format (.wat).
    file: PathBuf,
    #[command(flatten)]
    invocation: InvocationArgs,
    /// Write log lines to standard error too, as `log.filter` asks.
    #[arg(short, long)]
    verbose: bool,
}

impl Run {
    pub(super) fn run(self, settings: Settings) -> Ending {
        let runtime = super::serve::runtime()?;
        let ending = runtime.block_on(self.execute(settings)).map_err(|failure| failure.with_code(NOT_RUN));
        // A guest that is not waited for, because its reader went away, must not hold up the end.
        runtime.shutdown_background();
        ending
    }

    async fn execute(self, settings: Settings) -> Ending {
        let file = self.file.display();
        let wasm = fs::read(&self.file).map_err(|error| Failure::io(format_args!("cannot read {file}"), &error))?;
        let (config, tier) = self.configure(settings)?;
        if self.verbose {
            crate::logging::init(&config, crate::logging::filter(&config).map_err(Failure::new)?);
        } else {
            crate::logging::init_quiet(&config);
        }
        let platform = Platform::build(&config, System::new(None)).await?;
        platform.storage.migrate().await?;
        let module = platform.executor.inspect(wasm.into()).await;
        let module = module.map_err(|error| Failure::new(format!("{file}: {}", wasmwiz_core::error::chain(&error))))?;
        let invocation = self.invocation()?;
        let (principal, target) = (principal(tier), Target::Inline(Box::new(module)));
        let execution = if self.invocation.json {
            platform.execute(&principal, target, invocation, None).await?
        } else {
            stream(&platform, &principal, target, invocation).await?
        };
        self.report(&execution)
    }

    /// The configuration, and the tier whose limits hold: the highest, with what the flags say.
    fn configure(&self, settings: Settings) -> Result<(Config, String), Failure> {
        let settings = settings.in_development();
        let mut flags = here();
        let config = settings.load_with(flags.clone())?;
        let order: Vec<String> = config.figment().extract_inner("policy.tiered.order").unwrap_or_default();
        let tier = order.last().cloned().unwrap_or_default();
        flags.extend(self.limits(&tier));
        if let Some((_, wanted)) = self.invocation.limits().find(|(name, _)| *name == "memory_bytes")
            && config.figment().extract_inner::<u64>(POOL).is_ok_and(|pool| pool < wanted)
        {
            flags.push((POOL.to_owned(), json!(wanted)));
        }
        Ok((settings.load_with(flags)?, tier))
    }

    /// Limits that the flags set, beyond those of the tier too: the machine is the user's own.
    fn limits(&self, tier: &str) -> Vec<(String, Value)> {
        let key = |name| format!("policy.tiered.tiers.{tier}.{name}");
        self.invocation.limits().map(|(name, value)| (key(name), json!(value))).collect()
    }

    fn invocation(&self) -> Result<Invocation, Failure> {
        let patterns = FileGlobs::new(self.invocation.patterns());
        Ok(Invocation {
            input: if io::stdin().is_terminal() { Input::Empty } else { Input::Stream(stdin()) },
            args: self.invocation.args(),
            env: self.invocation.env(),
            files: self.invocation.read_files()?,
            collect_files: patterns.map_err(|(_, reason)| Failure::new(format!("--collect: {reason}")))?,
            entrypoint: self.invocation.entrypoint()?,
            limits: RequestedLimits::default(),
        })
    }

    fn report(&self, execution: &Execution) -> Ending {
        let Execution { outcome, .. } = execution;
        if self.invocation.json {
            output::json(&crate::api::execute::response::ExecutionResponse::from(execution))?;
        } else {
            // What the guest complained about comes before what is said of it.
            let _ = io::stderr().lock().write_all(&outcome.stderr);
            for result in &outcome.results {
                output::line(&number(result))?;
            }
            if let Some(sentence) = verdict::sentence(&outcome.verdict, Place::Here) {
                output::complain(&sentence);
            }
        }
        self.invocation.write_files(outcome.files.iter().map(|file| (file.path.as_str(), file.content.as_ref())))?;
        Ok(ExitCode::from(verdict::exit_code(&outcome.verdict)))
    }
}

/// What of the configuration does not hold here: nothing is kept, nobody logs in, and one execution is all there is.
fn here() -> Vec<(String, Value)> {
    let flags = [
        ("storage.use", json!("sqlite")),
        ("storage.sqlite.path", json!(":memory:")),
        ("blobs.use", json!("object_store")),
        ("blobs.object_store.url", json!("memory://")),
        ("auth.use", json!(["none"])),
        ("rate_limit.use", json!("memory")),
        ("policy.use", json!("tiered")),
        ("executor.wasmer.workers", json!(1)),
    ];
    flags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Who runs the module: somebody on their own machine.
fn principal(tier: String) -> Principal {
    Principal {
        user_id: User::LOCAL,
        user_name: "local".into(),
        key_id: None,
        tier,
        role: Role::User,
        scopes: Scopes::all(),
        provider: "none",
    }
}

/// Run a module and write its output as it comes.
async fn stream(
    platform: &Platform,
    principal: &Principal,
    target: Target,
    invocation: Invocation,
) -> Result<Execution, Failure> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let written = stdout(receiver);
    let running = platform.start(principal, target, invocation, Some(sender)).await?;
    let finish = running.finish();
    tokio::pin!(finish);
    tokio::pin!(written);
    tokio::select! {
        execution = &mut finish => {
            let execution = execution?;
            // The sender is gone by now, so the writer ends as soon as all is written.
            written_out(written.await)?;
            Ok(execution)
        }
        end = &mut written => {
            // Writing ended first: by an error, or because the guest is done and is just being recorded.
            written_out(end)?;
            Ok(finish.await?)
        }
    }
}

fn written_out(end: Result<io::Result<()>, oneshot::error::RecvError>) -> Result<(), Failure> {
    end.unwrap_or(Ok(())).map_err(|error| Failure::stdout(&error))
}

/// Write what arrives to standard output, on a thread, because a slow reader blocks it.
fn stdout(mut chunks: mpsc::Receiver<Bytes>) -> oneshot::Receiver<io::Result<()>> {
    let (done, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut stdout = io::stdout().lock();
        let mut write = || -> io::Result<()> {
            while let Some(chunk) = chunks.blocking_recv() {
                stdout.write_all(&chunk)?;
                stdout.flush()?;
            }
            Ok(())
        };
        // Nobody waits any more when the program is about to end.
        let _ = done.send(write());
    });
    receiver
}

/// Read standard input, on a thread that the end of the program does not wait for: whoever writes may never stop.
fn stdin() -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = vec![0; CHUNK];
        loop {
            match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    if sender.blocking_send(Bytes::copy_from_slice(&buffer[..count])).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return output::complain(&format!("cannot read standard input: {error}")),
            }
        }
    });
    receiver
}

fn number(value: &execution::Value) -> String {
    match value {
        execution::Value::I32(number) => number.to_string(),
        execution::Value::I64(number) => number.to_string(),
        execution::Value::F32(number) => number.to_string(),
        execution::Value::F64(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        run: Run,
    }

    fn parse(line: &str) -> Run {
        Line::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{error}")).run
    }

    #[test]
    fn arguments_may_be_given_either_way() {
        let run = parse("run a.wasm --arg -v --arg x -- --width 80");
        assert_eq!(run.invocation.args(), ["-v", "x", "--width", "80"]);
    }

    #[test]
    fn a_function_takes_the_numbers_after_it() {
        let entrypoint = parse("run a.wasm --invoke add 2 -3 --json").invocation.entrypoint().unwrap().unwrap();
        assert_eq!(entrypoint.function, "add");
        assert_eq!(entrypoint.params, [execution::Number::Integer(2), execution::Number::Integer(-3)]);
    }

    #[test]
    fn flags_go_beyond_the_tier() {
        let flags = parse("run a.wasm --timeout-ms 60000 --memory-bytes 1GiB").limits("pro");
        assert!(flags.contains(&("policy.tiered.tiers.pro.timeout_ms".into(), json!(60_000))));
        assert!(flags.contains(&("policy.tiered.tiers.pro.memory_bytes".into(), json!(1_u64 << 30))));
    }

    #[test]
    fn collecting_files_needs_a_folder() {
        assert!(Line::try_parse_from(["run", "a.wasm", "--collect", "*"]).is_err());
    }
}
