//! The HTTP contract, driven over a real socket against the real server.

mod auth;
mod backup;
mod bad_input;
mod cases;
mod files;
mod jobs;
mod knowledge;
mod meta;
mod reports;
mod world;
