//! Signals: when the server is to end, and which it is to survive.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Failure;

/// Watch the process's signals.
///
/// SIGTERM and Ctrl-C cancel the returned token; a second one ends the process at once, with the exit code that shells
/// give to a program killed by it. SIGUSR1 would kill by default; here it does nothing, because Wasmer reserves it for
/// itself and people send it to make other servers reopen their logs.
pub(super) fn watch() -> Result<CancellationToken, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::io("cannot listen for signals", &error));
    let terminate = listen(SignalKind::terminate())?;
    let interrupt = listen(SignalKind::interrupt())?;
    let user1 = listen(SignalKind::user_defined1())?;
    let stop = CancellationToken::new();
    tokio::spawn(stop_on(terminate, interrupt, stop.clone()));
    tokio::spawn(shrug_off(user1));
    Ok(stop)
}

async fn stop_on(mut terminate: Signal, mut interrupt: Signal, stop: CancellationToken) {
    loop {
        let (name, code) = tokio::select! {
            _ = terminate.recv() => ("SIGTERM", 143),
            _ = interrupt.recv() => ("SIGINT", 130),
        };
        if stop.is_cancelled() {
            tracing::warn!(signal = name, "stopping at once");
            std::process::exit(code);
        }
        tracing::info!(signal = name, "stopping; a second signal stops at once");
        stop.cancel();
    }
}

async fn shrug_off(mut signal: Signal) {
    while signal.recv().await.is_some() {
        tracing::debug!("SIGUSR1 does nothing here");
    }
}
