//! One integration-test binary, so that the heavy linking happens once.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is the point")]

mod api;
mod architecture;
mod cli;
mod crash;
mod drills;
mod victim;
