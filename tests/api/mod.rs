//! The HTTP contract, driven over a real socket against the real server.

mod admin;
mod auth;
mod backup;
mod bad_input;
mod cases;
mod files;
mod jobs;
mod knowledge;
mod meta;
mod migrate;
mod reports;
mod world;

pub(crate) use migrate::format_1;
