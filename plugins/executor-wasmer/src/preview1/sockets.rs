//! The functions for sockets, of which there are none: no descriptor is one.

use super::{
    Host,
    abi::{Answer, Errno},
};

impl Host {
    fn not_a_socket(&self, fd: u32) -> Answer {
        self.descriptors.get(fd)?;
        Err(Errno::Notsock.into())
    }

    pub(super) fn sock_accept(&mut self, fd: u32, _flags: u32, _result: u32) -> Answer {
        self.not_a_socket(fd)
    }

    pub(super) fn sock_recv(
        &mut self,
        fd: u32,
        _buffers: u32,
        _count: u32,
        _flags: u32,
        _length: u32,
        _out_flags: u32,
    ) -> Answer {
        self.not_a_socket(fd)
    }

    pub(super) fn sock_send(&mut self, fd: u32, _buffers: u32, _count: u32, _flags: u32, _result: u32) -> Answer {
        self.not_a_socket(fd)
    }

    pub(super) fn sock_shutdown(&mut self, fd: u32, _how: u32) -> Answer {
        self.not_a_socket(fd)
    }
}
