//! The one connection that writes.
//!
//! Pieces of work that wait are done in one transaction and answered once it is on the disk: a hundred executions that
//! end together wait for the disk once. A piece of work that violates a constraint fails alone.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use sqlx::SqliteConnection;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use crate::{fault::Fault, open, statements};

/// Pieces of work in one transaction, at most. Bounds how long the first of them waits for the last.
const BATCH: usize = 256;
/// Pieces of work that may wait, at most.
const QUEUE: usize = 1024;

/// A piece of work under way.
pub(crate) type Work<'c, T> = BoxFuture<'c, Result<T, Fault>>;

/// A handle to the task that writes.
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    wait: Duration,
    closing: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("waiting", &(QUEUE - self.queue.capacity())).finish_non_exhaustive()
    }
}

impl Writer {
    /// Start the task that writes.
    pub(crate) fn start(connection: SqliteConnection, wait: Duration) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let closing = Arc::new(Notify::new());
        let task = tokio::spawn(run(connection, waiting, closing.clone()));
        Self { queue, wait, closing, task: Mutex::new(Some(task)) }
    }

    /// Have a piece of work done, and wait until it is committed. It is done also when this future is dropped after
    /// the work was accepted.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let place = timeout(self.wait, self.queue.reserve()).await.map_err(|_| Fault::Busy)?;
        place.map_err(|_| Fault::Closed)?.send(Box::new(Piece { work: Some(work), result: None, reply }));
        answer.await.map_err(|_| Fault::Closed)?
    }

    /// Do what still waits, and close the connection. What comes later is [`Fault::Closed`].
    pub(crate) async fn close(&self) {
        self.closing.notify_one();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // An error would be a panic in a piece of work; it was reported where it happened.
            let _ = task.await;
        }
    }
}

/// A piece of work of any type.
trait Job: Send {
    /// Do the work. Whether the transaction still stands.
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool>;
    /// Tell who asked what came of it, given what came of the transaction.
    fn answer(self: Box<Self>, committed: Result<(), String>);
}

struct Piece<T, F> {
    work: Option<F>,
    result: Option<Result<T, Fault>>,
    reply: oneshot::Sender<Result<T, Fault>>,
}

impl<T, F> Job for Piece<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
{
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return true };
            let result = work(connection).await;
            let stands = !result.as_ref().is_err_and(Fault::undoes);
            self.result = Some(result);
            stands
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), String>) {
        let result = match (self.result, committed) {
            (Some(Err(fault)), _) => Err(fault),
            (_, Err(reason)) => Err(Fault::Undone(reason)),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(Fault::Closed),
        };
        // Whoever asked may have gone; the work is done all the same.
        let _ = self.reply.send(result);
    }
}

async fn run(mut connection: SqliteConnection, mut waiting: mpsc::Receiver<Box<dyn Job>>, closing: Arc<Notify>) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let taken = tokio::select! {
            taken = waiting.recv_many(&mut batch, BATCH) => taken,
            () = closing.notified() => {
                waiting.close();
                continue;
            }
        };
        if taken == 0 {
            break;
        }
        let committed = transact(&mut connection, &mut batch).await;
        for job in batch.drain(..) {
            job.answer(committed.clone());
        }
    }
    open::close(connection).await;
}

/// Do `batch` in one transaction. The statements are ordinary ones rather than sqlx's own transactions: those lose count
/// when SQLite has undone a transaction by itself (disk full), and begin no other one from then on.
async fn transact(connection: &mut SqliteConnection, batch: &mut [Box<dyn Job>]) -> Result<(), String> {
    let done = async {
        sqlx::query(statements::BEGIN).execute(&mut *connection).await.map_err(|error| error.to_string())?;
        for job in batch {
            if !job.run(connection).await {
                return Err("another write of the same moment failed".to_owned());
            }
        }
        sqlx::query(statements::COMMIT).execute(&mut *connection).await.map(drop).map_err(|error| error.to_string())
    }
    .await;
    if done.is_err() {
        // Fails when SQLite has undone the transaction already.
        let _ = sqlx::query(statements::ROLLBACK).execute(connection).await;
    }
    done
}
