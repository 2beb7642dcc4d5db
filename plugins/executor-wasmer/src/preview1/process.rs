//! Arguments, environment, clocks, randomness, and the end.

use super::{
    Host,
    abi::{Answer, Errno, Failure, clockid},
};

/// Randomness is made in pieces of this many bytes, with a look at the stop switch between them.
const RANDOM_CHUNK: u32 = 256 * 1024;

impl Host {
    pub(super) fn args_sizes_get(&mut self, count: u32, size: u32) -> Answer {
        let sizes = sizes(&self.args)?;
        self.write_sizes(sizes, count, size)
    }

    pub(super) fn args_get(&mut self, pointers: u32, buffer: u32) -> Answer {
        let strings = std::mem::take(&mut self.args);
        let written = self.write_strings(&strings, pointers, buffer);
        self.args = strings;
        written
    }

    pub(super) fn environ_sizes_get(&mut self, count: u32, size: u32) -> Answer {
        let sizes = sizes(&self.env)?;
        self.write_sizes(sizes, count, size)
    }

    pub(super) fn environ_get(&mut self, pointers: u32, buffer: u32) -> Answer {
        let strings = std::mem::take(&mut self.env);
        let written = self.write_strings(&strings, pointers, buffer);
        self.env = strings;
        written
    }

    fn write_sizes(&mut self, (strings, bytes): (u32, u32), count: u32, size: u32) -> Answer {
        let memory = self.memory_mut()?;
        memory.write_u32(count, strings)?;
        Ok(memory.write_u32(size, bytes)?)
    }

    /// Write the strings one after the other, each with a NUL, and the address of each into `pointers`.
    fn write_strings(&mut self, strings: &[String], pointers: u32, buffer: u32) -> Answer {
        let memory = self.memory_mut()?;
        let (mut pointer, mut at) = (pointers, buffer);
        for string in strings {
            let length = u32::try_from(string.len()).map_err(|_| Errno::Overflow)?;
            let end = at.checked_add(length).ok_or(Errno::Fault)?;
            memory.write_u32(pointer, at)?;
            memory.write(at, string.as_bytes())?;
            memory.write(end, &[0])?;
            at = end.checked_add(1).ok_or(Errno::Fault)?;
            pointer = pointer.checked_add(4).ok_or(Errno::Fault)?;
        }
        Ok(())
    }

    pub(super) fn clock_res_get(&mut self, id: u32, result: u32) -> Answer {
        self.clock(id)?;
        Ok(self.memory_mut()?.write_u64(result, 1)?)
    }

    pub(super) fn clock_time_get(&mut self, id: u32, _precision: u64, result: u32) -> Answer {
        let time = self.clock(id)?;
        Ok(self.memory_mut()?.write_u64(result, time)?)
    }

    /// The time of a clock, in nanoseconds. The CPU-time clocks are not offered: an execution's CPU time is
    /// measured by its host, and the specification has unsupported clocks answer `inval`.
    pub(super) fn clock(&self, id: u32) -> Result<u64, Errno> {
        match id {
            clockid::REALTIME => Ok(self.now()),
            clockid::MONOTONIC => Ok(u64::try_from(self.clock.monotonic().as_nanos()).unwrap_or(u64::MAX)),
            _ => Err(Errno::Inval),
        }
    }

    pub(super) fn random_get(&mut self, at: u32, length: u32) -> Answer {
        let random = self.random.clone();
        let stop = self.stop.clone();
        for chunk in self.memory_mut()?.bytes_mut(at, length)?.chunks_mut(RANDOM_CHUNK as usize) {
            stop.check()?;
            random.fill(chunk);
        }
        Ok(())
    }

    pub(super) fn sched_yield(&mut self) -> Answer {
        std::thread::yield_now();
        Ok(())
    }

    /// Nothing delivers signals here; Wasmtime answers the same.
    pub(super) fn proc_raise(&mut self, _signal: u32) -> Answer {
        Err(Errno::Notsup.into())
    }

    pub(super) fn proc_exit(&mut self, code: u32) -> Answer {
        Err(Failure::Exit(code))
    }
}

/// How many strings there are, and their bytes together with a NUL each.
fn sizes(strings: &[String]) -> Result<(u32, u32), Errno> {
    let bytes: usize = strings.iter().map(|string| string.len() + 1).sum();
    match (u32::try_from(strings.len()), u32::try_from(bytes)) {
        (Ok(count), Ok(bytes)) => Ok((count, bytes)),
        _ => Err(Errno::Overflow),
    }
}
