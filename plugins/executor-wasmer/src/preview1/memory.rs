//! The guest's linear memory, as host functions see it.

use std::ptr::NonNull;

use wasmer::sys::vm::VMMemoryDefinition;

use super::abi::Errno;

/// The linear memory of a guest.
///
/// It is the place where the engine keeps the memory's address and length, so that host functions work
/// from the first instruction of a start function on, and see the memory as it has grown. Every access is
/// checked against the length of that moment; one that is out of bounds is `fault`.
pub(crate) struct GuestMemory(NonNull<VMMemoryDefinition>);

// SAFETY: the constructor's caller promised that nothing else uses the memory while this does, on whatever
// thread that is.
unsafe impl Send for GuestMemory {}

impl GuestMemory {
    /// Make the memory whose definition is at `definition`, as an engine's tunables get it in
    /// `create_vm_memory`.
    ///
    /// # Safety
    /// Until this value is dropped or replaced, or for as long as it is used:
    /// - `definition` stays valid, and so does the memory it describes, `current_length` bytes from `base`;
    /// - while a method runs or a slice it returned is alive, nothing else reads or writes the definition or
    ///   the memory. A guest with one thread waits for its host call; a shared memory may not be used.
    pub(crate) unsafe fn new(definition: NonNull<VMMemoryDefinition>) -> Self {
        Self(definition)
    }

    /// The number of its bytes at the moment.
    fn size(&self) -> u64 {
        // SAFETY: valid by the constructor's contract.
        unsafe { (*self.0.as_ptr()).current_length as u64 }
    }

    /// Check a range and give its address.
    fn range(&self, at: u32, length: u32) -> Result<(*mut u8, usize), Errno> {
        // SAFETY: valid by the constructor's contract.
        let (base, size) = unsafe { ((*self.0.as_ptr()).base, (*self.0.as_ptr()).current_length) };
        let end = u64::from(at) + u64::from(length);
        if end > size as u64 {
            return Err(Errno::Fault);
        }
        // SAFETY: the range ends within the memory, as just checked; u32 fits in usize where Wasmer runs.
        Ok((unsafe { base.add(at as usize) }, length as usize))
    }

    /// The `length` bytes at address `at`.
    pub(crate) fn bytes(&self, at: u32, length: u32) -> Result<&[u8], Errno> {
        let (start, length) = self.range(at, length)?;
        // SAFETY: in bounds, and nobody writes while the slice borrows this value.
        Ok(unsafe { std::slice::from_raw_parts(start, length) })
    }

    /// The `length` bytes at address `at`, for writing.
    pub(crate) fn bytes_mut(&mut self, at: u32, length: u32) -> Result<&mut [u8], Errno> {
        let (start, length) = self.range(at, length)?;
        // SAFETY: in bounds, and nobody else uses them while the slice borrows this value mutably.
        Ok(unsafe { std::slice::from_raw_parts_mut(start, length) })
    }

    /// Copy `bytes` to address `at`.
    pub(crate) fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Errno> {
        let length = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        self.bytes_mut(at, length)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Write a 32-bit number to address `at`.
    pub(crate) fn write_u32(&mut self, at: u32, value: u32) -> Result<(), Errno> {
        self.write(at, &value.to_le_bytes())
    }

    /// Write a 64-bit number to address `at`.
    pub(crate) fn write_u64(&mut self, at: u32, value: u64) -> Result<(), Errno> {
        self.write(at, &value.to_le_bytes())
    }

    /// The path of `length` bytes at address `at`.
    pub(crate) fn path(&self, at: u32, length: u32) -> Result<&str, Errno> {
        std::str::from_utf8(self.bytes(at, length)?).map_err(|_| Errno::Ilseq)
    }
}

/// A list of buffers in the guest's memory (`$iovec_array`, `$ciovec_array`).
#[derive(Clone, Copy)]
pub(crate) struct Buffers {
    at: u32,
    count: u32,
}

impl Buffers {
    /// More buffers than this are not looked at: a call does less than it was asked to then, which every
    /// caller of read and write is prepared for. As many as `IOV_MAX` of Linux.
    const MAX: u32 = 1024;

    /// Check a list of `count` buffers at address `at`, and that their lengths together fit the result.
    pub(crate) fn new(memory: &GuestMemory, at: u32, count: u32) -> Result<Self, Errno> {
        // A list that is not in memory is refused whole, however much of it would be looked at.
        if u64::from(at) + u64::from(count) * 8 > memory.size() {
            return Err(Errno::Fault);
        }
        let count = count.min(Self::MAX);
        let buffers = Self { at, count };
        let mut total = 0_u32;
        for index in 0..count {
            let (start, length) = buffers.get(memory, index)?;
            memory.bytes(start, length)?;
            total = total.checked_add(length).ok_or(Errno::Inval)?;
        }
        Ok(buffers)
    }

    /// The numbers of the buffers.
    pub(crate) fn indices(self) -> std::ops::Range<u32> {
        0..self.count
    }

    /// Address and length of buffer `index`. Read anew each time: the guest may have pointed one buffer at
    /// the list itself.
    pub(crate) fn get(self, memory: &GuestMemory, index: u32) -> Result<(u32, u32), Errno> {
        let at = index.checked_mul(8).and_then(|offset| self.at.checked_add(offset)).ok_or(Errno::Fault)?;
        let record = memory.bytes(at, 8)?;
        Ok((u32::from_le_bytes(super::abi::get(record, 0)), u32::from_le_bytes(super::abi::get(record, 4))))
    }
}
