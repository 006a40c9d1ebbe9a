//! FaultMaven: the troubleshooting store in one binary.

pub mod base;
pub mod privacy;
pub mod engine;
pub mod search;
pub mod web;
pub mod ops;
pub mod jobs;
pub mod users;
pub mod cases;
pub mod knowledge;
pub mod uploads;
pub mod reports;
pub mod app;
