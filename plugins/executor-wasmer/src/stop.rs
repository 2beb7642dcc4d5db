//! How an execution is told to end before its guest is done.
//!
//! A guest can be in three places when its time is up, and each has its own way out:
//! - in its own code: the compiler put a check of a hidden global at every loop and function entry
//!   ([`crate::interrupt`]); [`Stop::request`] sets that global.
//! - in a host call that waits: it waits through [`Stop::wait`], which the request wakes.
//! - in a host call that works: it returns within bounded time and [`Stop::check`] is asked next.

use std::{
    fmt,
    future::Future,
    pin::pin,
    ptr::NonNull,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

/// Why an execution was ended by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StopReason {
    /// The wall-clock limit passed.
    Deadline = 1,
    /// The caller, or a shutting-down server, gave up on the answer.
    Cancelled = 2,
    /// The guest wrote more output than it may.
    Output = 3,
}

/// The error a host call returns once its execution has been told to end. It unwinds the guest as a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped(pub StopReason);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped by the host: {:?}", self.0)
    }
}

impl std::error::Error for Stopped {}

/// What changes under the lock: the deadline, and the address of the instance's hidden stop flag.
struct State {
    deadline: Instant,
    guest_flag: Option<NonNull<AtomicI32>>,
}

// SAFETY: the pointer is only followed under the mutex that holds it, and `detach` clears it before the
// instance that owns the flag goes away.
unsafe impl Send for State {}

/// One execution's end, requested once and seen everywhere.
pub struct Stop {
    reason: AtomicU8,
    state: Mutex<State>,
    wake: Condvar,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop").field("reason", &self.reason()).finish_non_exhaustive()
    }
}

impl Stop {
    /// Make the switch of an execution that has to be over at `deadline`.
    pub fn new(deadline: Instant) -> Self {
        let state = State { deadline, guest_flag: None };
        Self { reason: AtomicU8::new(0), state: Mutex::new(state), wake: Condvar::new() }
    }

    /// The instant at which the execution has to be over.
    pub fn deadline(&self) -> Instant {
        self.lock().deadline
    }

    /// Do something whose time is not the guest's: the deadline is far while it lasts, and later by as much afterwards.
    pub fn off_the_clock<R>(&self, wait: impl FnOnce() -> R) -> (R, Duration) {
        const FAR: Duration = Duration::from_secs(3600);
        let started = Instant::now();
        self.lock().deadline += FAR;
        let result = wait();
        let waited = started.elapsed();
        let mut state = self.lock();
        state.deadline = state.deadline - FAR + waited;
        (result, waited)
    }

    /// Tell the execution to end. The first reason stays; later ones change nothing.
    pub fn request(&self, reason: StopReason) {
        let state = self.lock();
        let _ = self.reason.compare_exchange(0, reason as u8, Ordering::SeqCst, Ordering::SeqCst);
        if let Some(flag) = state.guest_flag {
            // SAFETY: `attach` promised that the flag lives until `detach`, which needs this lock.
            unsafe { flag.as_ref() }.store(1, Ordering::SeqCst);
        }
        self.wake.notify_all();
    }

    /// The reason the execution was told to end with, if it was.
    pub fn reason(&self) -> Option<StopReason> {
        match self.reason.load(Ordering::SeqCst) {
            1 => Some(StopReason::Deadline),
            2 => Some(StopReason::Cancelled),
            3 => Some(StopReason::Output),
            _ => None,
        }
    }

    /// Fail once the execution was told to end.
    ///
    /// # Errors
    /// [`Stopped`] with the reason.
    pub fn check(&self) -> Result<(), Stopped> {
        self.reason().map_or(Ok(()), |reason| Err(Stopped(reason)))
    }

    /// Wait until `until` (for ever without one), and at most until the execution is told to end.
    ///
    /// # Errors
    /// [`Stopped`] when the execution is told to end first.
    pub fn wait(&self, until: Option<Instant>) -> Result<(), Stopped> {
        self.wait_or(until, &AtomicBool::new(false))
    }

    /// Drive `future` on this thread until it is ready, or until `until` (then `None`).
    ///
    /// # Errors
    /// [`Stopped`] when the execution is told to end first.
    pub fn block_on<F: Future>(
        self: &Arc<Self>,
        until: Option<Instant>,
        future: F,
    ) -> Result<Option<F::Output>, Stopped> {
        let parker = Arc::new(Parker { stop: self.clone(), woken: AtomicBool::new(false) });
        let waker = Waker::from(parker.clone());
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Ok(Some(output));
            }
            self.wait_or(until, &parker.woken)?;
            if !parker.woken.swap(false, Ordering::SeqCst) {
                return Ok(None);
            }
        }
    }

    /// Wait as [`Stop::wait`] does, and at most until `woken` is set.
    fn wait_or(&self, until: Option<Instant>, woken: &AtomicBool) -> Result<(), Stopped> {
        let mut guard = self.lock();
        loop {
            self.check()?;
            let now = Instant::now();
            if woken.load(Ordering::SeqCst) || until.is_some_and(|until| until <= now) {
                return Ok(());
            }
            if guard.deadline <= now {
                drop(guard);
                self.request(StopReason::Deadline);
                return self.check();
            }
            let end = until.map_or(guard.deadline, |until| until.min(guard.deadline));
            guard = self.wake.wait_timeout(guard, end - now).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Name the guest's own stop flag, so that a request reaches code that calls no host function.
    ///
    /// # Safety
    /// `flag` must stay valid until [`Stop::detach`] has returned.
    pub unsafe fn attach(&self, flag: NonNull<AtomicI32>) {
        self.lock().guest_flag = Some(flag);
        if self.reason().is_some() {
            // SAFETY: the caller's promise.
            unsafe { flag.as_ref() }.store(1, Ordering::SeqCst);
        }
    }

    /// Forget the guest's stop flag. To be called before the instance is dropped.
    pub fn detach(&self) {
        self.lock().guest_flag = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the thread that waits in [`Stop::block_on`].
struct Parker {
    stop: Arc<Stop>,
    woken: AtomicBool,
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        // The lock orders this notification after the sleeper's last look at `woken`.
        let _guard = self.stop.lock();
        self.stop.wake.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop_in(time: Duration) -> Arc<Stop> {
        Arc::new(Stop::new(Instant::now() + time))
    }

    #[test]
    fn a_wait_ends_at_its_own_time_or_at_the_deadline() {
        let stop = stop_in(Duration::from_millis(50));
        assert_eq!(stop.wait(Some(Instant::now() + Duration::from_millis(5))), Ok(()));
        assert_eq!(stop.wait(None), Err(Stopped(StopReason::Deadline)));
        assert_eq!(stop.check(), Err(Stopped(StopReason::Deadline)));
    }

    #[test]
    fn a_request_wakes_a_sleeper_and_sets_the_guests_flag() {
        let stop = stop_in(Duration::from_secs(60));
        let flag = AtomicI32::new(0);
        // SAFETY: detached before `flag` goes out of scope.
        unsafe { stop.attach(NonNull::from(&flag)) };
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| stop.wait(None));
            stop.request(StopReason::Cancelled);
            stop.request(StopReason::Deadline);
            assert_eq!(sleeper.join().unwrap(), Err(Stopped(StopReason::Cancelled)));
        });
        stop.detach();
        assert_eq!(flag.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn block_on_is_woken_by_the_future_and_by_its_time() {
        let stop = stop_in(Duration::from_secs(60));
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<u8>(1);
        let soon = Some(Instant::now() + Duration::from_millis(5));
        assert_eq!(stop.block_on(soon, receiver.recv()), Ok(None));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| stop.block_on(None, receiver.recv()));
            sender.blocking_send(7).unwrap();
            assert_eq!(waiting.join().unwrap(), Ok(Some(Some(7))));
        });
    }
}
