//! Memory under a budget: every linear memory and table of an execution is charged to it.

use std::{
    cell::RefCell,
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use wasmer::{
    MemoryError, MemoryType, Pages, TableType, WASM_PAGE_SIZE,
    sys::{
        BaseTunables, Tunables,
        vm::{
            ExpectedValue, LinearMemory, MemoryStyle, TableStyle, VMConfig, VMGlobal, VMGlobalDefinition, VMMemory,
            VMMemoryDefinition, VMSharedMemory, VMTable, VMTableDefinition, WaiterError,
        },
    },
};
use wasmer_types::GlobalType;

use crate::{
    pool_memory::{MemoryPool, Reservation},
    stop::Stop,
};

/// A table that may grow is given room for at most this share of the memory limit beyond its start; the room is
/// charged when the table is made, because Wasmer asks nobody when a table grows.
const TABLE_GROWTH_SHARE: u64 = 8;

/// The memory one execution may use, and what it has.
pub(crate) struct Budget {
    limit: u64,
    /// All that is charged, the host's part too.
    used: AtomicU64,
    /// What the host needs for the instance.
    host: AtomicU64,
    peak: AtomicU64,
    /// The most that was asked for and refused; 0 when nothing was.
    refused: AtomicU64,
    overloaded: AtomicBool,
    /// Whether a table was given less room to grow than it declares.
    tables_cut: AtomicBool,
    pool: Arc<MemoryPool>,
    reservation: std::sync::Mutex<Option<Reservation>>,
    waited_us: AtomicU64,
    stop: Arc<Stop>,
}

impl Budget {
    pub(crate) fn new(limit: u64, pool: Arc<MemoryPool>, stop: Arc<Stop>) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
            host: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            overloaded: AtomicBool::new(false),
            tables_cut: AtomicBool::new(false),
            pool,
            reservation: std::sync::Mutex::new(None),
            waited_us: AtomicU64::new(0),
            stop,
        }
    }

    /// Charge `bytes`; `false` when the limit does not allow them.
    pub(crate) fn charge(&self, bytes: u64) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::SeqCst);
        let total = before.saturating_add(bytes);
        if self.allows(total) && self.reserve(total) {
            self.peak.fetch_max(total, Ordering::SeqCst);
            return true;
        }
        self.used.fetch_sub(bytes, Ordering::SeqCst);
        false
    }

    /// Charge `bytes` that the host needs for the instance. They count, and are not reported as the guest's.
    pub(crate) fn charge_host(&self, bytes: u64) -> bool {
        self.host.fetch_add(bytes, Ordering::SeqCst);
        self.charge(bytes)
    }

    /// Whether the limit allows `bytes` in all; notes the refusal if not.
    pub(crate) fn allows(&self, bytes: u64) -> bool {
        if bytes > self.limit {
            self.refused.fetch_max(bytes, Ordering::SeqCst);
        }
        bytes <= self.limit
    }

    /// Have a place among the large executions once `total` is more than a small one's. Waits for it.
    fn reserve(&self, total: u64) -> bool {
        if total <= self.pool.small_bytes() {
            return true;
        }
        let mut reservation = self.reservation.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if reservation.is_none() {
            // Time spent waiting for other executions' memory is not this one's.
            let (reserved, waited) = self.stop.off_the_clock(|| self.pool.reserve(self.limit, &self.stop));
            *reservation = reserved;
            self.waited_us.fetch_add(u64::try_from(waited.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
            self.overloaded.fetch_or(reservation.is_none() && self.stop.reason().is_none(), Ordering::SeqCst);
        }
        reservation.is_some()
    }

    /// The most that the guest had in use.
    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::SeqCst).saturating_sub(self.host.load(Ordering::SeqCst))
    }

    /// The most that was asked for and refused.
    pub(crate) fn refused(&self) -> Option<u64> {
        Some(self.refused.load(Ordering::SeqCst)).filter(|bytes| *bytes > 0)
    }

    /// Note that a table was refused growth. It counts if our limit was in its way, and not only the module's own.
    pub(crate) fn table_refused(&self) {
        if self.tables_cut.load(Ordering::SeqCst) {
            self.refused.fetch_max(self.limit.saturating_add(1), Ordering::SeqCst);
        }
    }

    /// Whether the machine, and not the limit, had no memory left.
    pub(crate) fn overloaded(&self) -> bool {
        self.overloaded.load(Ordering::SeqCst)
    }

    /// Time spent waiting for the machine's memory.
    pub(crate) fn waited(&self) -> Duration {
        Duration::from_micros(self.waited_us.load(Ordering::SeqCst))
    }
}

/// What is being instantiated on this thread: whom to charge, and what was made.
pub(crate) struct Instantiation {
    budget: Arc<Budget>,
    stop: Arc<Stop>,
    /// Where the instance's memories are described, in the order of their indices.
    pub(crate) memories: Vec<NonNull<VMMemoryDefinition>>,
    /// Where the globals are that `interrupt` added last.
    pub(crate) globals: HiddenGlobals,
}

/// The last two globals of an instance: what `interrupt` added for the sandbox.
#[derive(Clone, Copy, Default)]
pub(crate) struct HiddenGlobals {
    /// Whether a `table.grow` was refused.
    pub(crate) table_refused: Option<NonNull<VMGlobalDefinition>>,
    /// Whether the guest is to stop.
    pub(crate) stop: Option<NonNull<VMGlobalDefinition>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Instantiation>> = const { RefCell::new(None) };
}

/// Do `make` with every memory and table that it makes charged to `budget`, and tell what was made.
pub(crate) fn charged<R>(budget: &Arc<Budget>, stop: &Arc<Stop>, make: impl FnOnce() -> R) -> (R, Instantiation) {
    let fresh = || Instantiation {
        budget: budget.clone(),
        stop: stop.clone(),
        memories: Vec::new(),
        globals: HiddenGlobals::default(),
    };
    CURRENT.with(|current| current.replace(Some(fresh())));
    // The guard clears the slot also when `make` panics.
    struct Clear;
    impl Drop for Clear {
        fn drop(&mut self) {
            CURRENT.with(|current| current.take());
        }
    }
    let clear = Clear;
    let made = make();
    let instantiation = CURRENT.with(|current| current.take());
    drop(clear);
    (made, instantiation.unwrap_or_else(fresh))
}

fn with_current<R>(use_it: impl FnOnce(&mut Instantiation) -> R) -> Option<R> {
    CURRENT.with(|current| current.borrow_mut().as_mut().map(use_it))
}

/// Makes memories and tables under the budget of the execution that is being instantiated on the calling thread.
/// Without one it makes none: nothing is ever uncharged.
pub(crate) struct LimitedTunables {
    base: BaseTunables,
    config: VMConfig,
}

impl LimitedTunables {
    pub(crate) fn new(stack_bytes: usize) -> Self {
        Self { base: BaseTunables::new(), config: VMConfig { wasm_stack_size: Some(stack_bytes) } }
    }

    fn limited(
        ty: &MemoryType,
        make: impl FnOnce(&MemoryType) -> Result<VMMemory, MemoryError>,
    ) -> Result<VMMemory, MemoryError> {
        let none = || MemoryError::Generic("no execution to charge the memory to".into());
        let (budget, stop) = with_current(|c| (c.budget.clone(), c.stop.clone())).ok_or_else(none)?;
        let bytes = ty.minimum.bytes().0 as u64;
        if !budget.charge(bytes) {
            return Err(MemoryError::CouldNotGrow { current: Pages(0), attempted_delta: ty.minimum });
        }
        let inner = make(ty)?;
        Ok(VMMemory(Box::new(LimitedMemory { inner, budget, stop })))
    }

    fn limited_table(ty: &TableType) -> Result<TableType, String> {
        /// `wasmer_vm::table::RawTableElement`: a reference, as wide as a pointer or, for future types, a v128.
        const ELEMENT: u64 = 16;
        let budget = with_current(|current| current.budget.clone()).ok_or("no execution to charge the table to")?;
        let growth = u32::try_from(budget.limit / TABLE_GROWTH_SHARE / ELEMENT).unwrap_or(u32::MAX);
        let most = ty.minimum.saturating_add(growth);
        for maximum in [ty.maximum.map_or(most, |maximum| maximum.min(most)), ty.minimum] {
            if budget.charge(u64::from(maximum) * ELEMENT) {
                budget.tables_cut.fetch_or(ty.maximum != Some(maximum), Ordering::SeqCst);
                return Ok(TableType { maximum: Some(maximum), ..*ty });
            }
        }
        Err("the table is larger than the memory limit".into())
    }
}

impl Tunables for LimitedTunables {
    fn memory_style(&self, memory: &MemoryType) -> MemoryStyle {
        self.base.memory_style(memory)
    }

    fn table_style(&self, table: &TableType) -> TableStyle {
        self.base.table_style(table)
    }

    fn create_host_memory(&self, ty: &MemoryType, style: &MemoryStyle) -> Result<VMMemory, MemoryError> {
        Self::limited(ty, |ty| self.base.create_host_memory(ty, style))
    }

    unsafe fn create_vm_memory(
        &self,
        ty: &MemoryType,
        style: &MemoryStyle,
        place: NonNull<VMMemoryDefinition>,
    ) -> Result<VMMemory, MemoryError> {
        // SAFETY: the caller's promise is passed on.
        let memory = Self::limited(ty, |ty| unsafe { self.base.create_vm_memory(ty, style, place) })?;
        with_current(|current| current.memories.push(place));
        Ok(memory)
    }

    fn create_host_table(&self, ty: &TableType, style: &TableStyle) -> Result<VMTable, String> {
        self.base.create_host_table(&Self::limited_table(ty)?, style)
    }

    unsafe fn create_vm_table(
        &self,
        ty: &TableType,
        style: &TableStyle,
        place: NonNull<VMTableDefinition>,
    ) -> Result<VMTable, String> {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.base.create_vm_table(&Self::limited_table(ty)?, style, place) }
    }

    unsafe fn create_vm_global(&self, ty: GlobalType, place: NonNull<VMGlobalDefinition>) -> Result<VMGlobal, String> {
        with_current(|current| {
            current.globals = HiddenGlobals { table_refused: current.globals.stop, stop: Some(place) };
        });
        // SAFETY: the caller's promise is passed on.
        unsafe { self.base.create_vm_global(ty, place) }
    }

    fn vmconfig(&self) -> &VMConfig {
        &self.config
    }
}

/// A linear memory that asks the budget before it grows, and waits no longer than its execution lives.
#[derive(Debug)]
struct LimitedMemory {
    inner: VMMemory,
    budget: Arc<Budget>,
    stop: Arc<Stop>,
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").field("limit", &self.limit).field("used", &self.used).finish_non_exhaustive()
    }
}

impl LimitedMemory {
    fn wrap(&self, inner: Box<dyn LinearMemory + Send + Sync>) -> Box<dyn LinearMemory + Send + Sync> {
        Box::new(Self { inner: VMMemory(inner), budget: self.budget.clone(), stop: self.stop.clone() })
    }
}

impl LinearMemory for LimitedMemory {
    fn ty(&self) -> MemoryType {
        self.inner.ty()
    }

    fn size(&self) -> Pages {
        self.inner.size()
    }

    fn style(&self) -> MemoryStyle {
        self.inner.style()
    }

    fn grow(&mut self, delta: Pages) -> Result<Pages, MemoryError> {
        let bytes = u64::from(delta.0) * WASM_PAGE_SIZE as u64;
        if !self.budget.charge(bytes) {
            return Err(MemoryError::CouldNotGrow { current: self.size(), attempted_delta: delta });
        }
        self.inner.grow(delta).inspect_err(|_| {
            self.budget.used.fetch_sub(bytes, Ordering::SeqCst);
        })
    }

    fn grow_at_least(&mut self, min_size: u64) -> Result<(), MemoryError> {
        let missing = min_size.saturating_sub(self.size().bytes().0 as u64).div_ceil(WASM_PAGE_SIZE as u64);
        self.grow(Pages(u32::try_from(missing).unwrap_or(u32::MAX))).map(drop)
    }

    fn reset(&mut self) -> Result<(), MemoryError> {
        self.inner.reset()
    }

    fn vmmemory(&self) -> NonNull<VMMemoryDefinition> {
        self.inner.vmmemory()
    }

    fn try_clone(&self) -> Result<Box<dyn LinearMemory + Send + Sync + 'static>, MemoryError> {
        Ok(self.wrap(self.inner.0.try_clone()?))
    }

    fn copy(&self) -> Result<Box<dyn LinearMemory + Send + Sync + 'static>, MemoryError> {
        // Only a fork copies a memory, and no policy grants one yet.
        Err(MemoryError::Generic("a guest's memory is not copied".into()))
    }

    fn as_shared(&self) -> Result<VMSharedMemory, MemoryError> {
        // A handle that is not ours would grow past the budget.
        Err(MemoryError::MemoryNotShared)
    }

    /// `memory.atomic.wait`: sleeps in short turns, so that the execution's end ends it too.
    unsafe fn do_wait(
        &mut self,
        dst: u32,
        expected: ExpectedValue,
        timeout: Option<Duration>,
    ) -> Result<u32, WaiterError> {
        const TURN: Duration = Duration::from_millis(10);
        const TIMED_OUT: u32 = 2;
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if self.stop.check().is_err() {
                return Err(WaiterError::AtomicsDisabled);
            }
            let left = end.map_or(TURN, |end| end.saturating_duration_since(Instant::now()));
            let turn = left.min(TURN);
            // SAFETY: the caller's promise is passed on.
            let woken = unsafe { self.inner.do_wait(dst, copy_of(&expected), Some(turn)) }?;
            if woken != TIMED_OUT || left <= TURN && end.is_some() {
                return Ok(woken);
            }
        }
    }

    fn do_notify(&mut self, dst: u32, count: u32) -> u32 {
        self.inner.do_notify(dst, count)
    }
}

fn copy_of(expected: &ExpectedValue) -> ExpectedValue {
    match expected {
        ExpectedValue::None => ExpectedValue::None,
        ExpectedValue::U32(value) => ExpectedValue::U32(*value),
        ExpectedValue::U64(value) => ExpectedValue::U64(*value),
    }
}
