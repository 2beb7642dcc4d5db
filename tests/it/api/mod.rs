//! The HTTP API, as a user and as an attacker sees it.

mod admin;
mod auth;
mod errors;
mod execute;
mod executions;
mod health;
mod limits;
mod modules;
mod openapi;
mod overload;
mod quota;
