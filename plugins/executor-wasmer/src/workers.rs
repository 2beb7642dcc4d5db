//! The threads that run guests, and the one that watches their deadlines.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::stop::{Stop, StopReason};

/// How often the watchdog looks at what runs; a guest is told to stop at most this long after its deadline.
const TICK: Duration = Duration::from_millis(5);
/// How much less important guests are than the threads that serve requests (nice(2)), so that a busy guest does not
/// hold up other callers' requests.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Something to run on a worker, which is told which slot the watchdog looks at.
type Task = Box<dyn FnOnce(&Slot) + Send>;

/// What is waiting to run.
struct Queue {
    tasks: VecDeque<Task>,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
    capacity: usize,
    busy: AtomicUsize,
    slots: Vec<Slot>,
    watch: Mutex<()>,
    watch_wake: Condvar,
    closed: AtomicBool,
}

/// What the watchdog looks at: the execution that runs on one worker.
pub(crate) struct Slot(Mutex<Option<Watched>>);

/// An execution under watch.
pub(crate) struct Watched {
    /// Its end.
    pub(crate) stop: Arc<Stop>,
    /// Whether its caller gave up.
    pub(crate) cancel: CancellationToken,
}

impl Slot {
    /// Put an execution under watch until the guard is dropped.
    pub(crate) fn watch(&self, watched: Watched) -> impl Drop + '_ {
        struct Unwatch<'a>(&'a Slot);
        impl Drop for Unwatch<'_> {
            fn drop(&mut self) {
                *lock(&self.0.0) = None;
            }
        }
        *lock(&self.0) = Some(watched);
        Unwatch(self)
    }

    fn look(&self, now: Instant) {
        let slot = lock(&self.0);
        let Some(watched) = &*slot else { return };
        if watched.cancel.is_cancelled() {
            watched.stop.request(StopReason::Cancelled);
        } else if watched.stop.deadline() <= now {
            watched.stop.request(StopReason::Deadline);
        }
    }
}

/// The queue is full.
#[derive(Debug)]
pub(crate) struct Full;

/// A bounded pool of threads with a bounded queue.
pub(crate) struct Workers {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Workers {
    /// Start `count` threads and the watchdog.
    pub(crate) fn start(count: usize, capacity: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue { tasks: VecDeque::new(), closed: false }),
            ready: Condvar::new(),
            capacity,
            busy: AtomicUsize::new(0),
            slots: (0..count).map(|_| Slot(Mutex::new(None))).collect(),
            watch: Mutex::new(()),
            watch_wake: Condvar::new(),
            closed: AtomicBool::new(false),
        });
        let mut threads = Vec::with_capacity(count + 1);
        for index in 0..count {
            let shared = shared.clone();
            let name = format!("guest-{index}");
            threads.push(thread::Builder::new().name(name).spawn(move || work(&shared, index))?);
        }
        let watched = shared.clone();
        threads.push(thread::Builder::new().name("watchdog".into()).spawn(move || watch(&watched))?);
        Ok(Self { shared, threads: Mutex::new(threads) })
    }

    /// Queue a task.
    ///
    /// # Errors
    /// [`Full`] when as many wait as may.
    pub(crate) fn submit(&self, task: Task) -> Result<(), Full> {
        let mut queue = lock(&self.shared.queue);
        if queue.closed || queue.tasks.len() >= self.shared.capacity {
            return Err(Full);
        }
        queue.tasks.push_back(task);
        drop(queue);
        self.shared.ready.notify_one();
        Ok(())
    }

    /// How many threads there are, how many are busy, how many tasks wait.
    pub(crate) fn load(&self) -> (usize, usize, usize) {
        let queued = lock(&self.shared.queue).tasks.len();
        (self.shared.slots.len(), self.shared.busy.load(Ordering::Relaxed), queued)
    }

    /// Take no more tasks, and wait for the threads to finish theirs.
    pub(crate) fn close(&self) {
        lock(&self.shared.queue).closed = true;
        self.shared.ready.notify_all();
        let mut threads = std::mem::take(&mut *lock(&self.threads)).into_iter().rev();
        let watchdog = threads.next();
        threads.for_each(|thread| drop(thread.join()));
        {
            // The lock orders this before the watchdog's next wait, which would miss it otherwise.
            let _watch = lock(&self.shared.watch);
            self.shared.closed.store(true, Ordering::SeqCst);
        }
        self.shared.watch_wake.notify_all();
        watchdog.map(JoinHandle::join);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.close();
    }
}

fn work(shared: &Shared, index: usize) {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
    loop {
        let mut queue = lock(&shared.queue);
        let task = loop {
            if let Some(task) = queue.tasks.pop_front() {
                break task;
            }
            if queue.closed {
                return;
            }
            queue = shared.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
        };
        drop(queue);
        if shared.busy.fetch_add(1, Ordering::SeqCst) == 0 {
            // The lock orders this after the watchdog's look at `busy`.
            drop(lock(&shared.watch));
            shared.watch_wake.notify_one();
        }
        // A task answers for its own panics; should one get here all the same, the thread lives on.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| task(&shared.slots[index])));
        shared.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

fn watch(shared: &Shared) {
    let mut guard = lock(&shared.watch);
    while !shared.closed.load(Ordering::SeqCst) {
        if shared.busy.load(Ordering::SeqCst) == 0 {
            // Nothing runs, so nothing needs to be looked at. The time-out is for a wake-up lost at closing.
            guard =
                shared.watch_wake.wait_timeout(guard, Duration::from_secs(1)).unwrap_or_else(PoisonError::into_inner).0;
            continue;
        }
        drop(guard);
        thread::sleep(TICK);
        let now = Instant::now();
        shared.slots.iter().for_each(|slot| slot.look(now));
        guard = lock(&shared.watch);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_full_queue_refuses_and_a_free_thread_takes_on() {
        let workers = Workers::start(1, 1).unwrap();
        let (release, held) = mpsc::channel::<()>();
        let (started, running) = mpsc::channel::<()>();
        workers
            .submit(Box::new(move |_| {
                started.send(()).unwrap();
                let _ = held.recv();
            }))
            .unwrap();
        running.recv().unwrap();
        let (done, finished) = mpsc::channel::<()>();
        workers.submit(Box::new(move |_| done.send(()).unwrap())).unwrap();
        assert!(workers.submit(Box::new(|_| {})).is_err());
        assert_eq!(workers.load(), (1, 1, 1));
        drop(release);
        finished.recv().unwrap();
    }

    #[test]
    fn a_panic_in_a_task_costs_no_thread() {
        let workers = Workers::start(1, 4).unwrap();
        workers.submit(Box::new(|_| panic!("on purpose"))).unwrap();
        let (done, finished) = mpsc::channel::<()>();
        workers.submit(Box::new(move |_| done.send(()).unwrap())).unwrap();
        finished.recv().unwrap();
    }

    #[test]
    fn the_watchdog_ends_what_is_late_or_cancelled() {
        let workers = Workers::start(2, 4).unwrap();
        let (send, results) = mpsc::channel();
        let cancel = CancellationToken::new();
        for (millis, cancel) in [(30, CancellationToken::new()), (60_000, cancel.clone())] {
            let send = send.clone();
            let task = move |slot: &Slot| {
                let stop = Arc::new(Stop::new(Instant::now() + Duration::from_millis(millis)));
                let _watch = slot.watch(Watched { stop: stop.clone(), cancel });
                let _ = stop.wait(None);
                send.send(stop.reason()).unwrap();
            };
            workers.submit(Box::new(task)).unwrap();
        }
        assert_eq!(results.recv().unwrap(), Some(StopReason::Deadline));
        cancel.cancel();
        assert_eq!(results.recv().unwrap(), Some(StopReason::Cancelled));
    }
}
