//! Servers to test against, the guests that run on them, and the program at a terminal.

mod client;
mod guests;
mod raw;
mod server;
mod shape;
mod terminal;

pub(crate) use self::{
    client::{Answer, Client},
    guests::{guest, guest_file},
    raw::Raw,
    server::TestServer,
    shape::{assert_fields, items},
    terminal::Terminal,
};
