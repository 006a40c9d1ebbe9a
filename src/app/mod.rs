//! Where everything meets, and the only place that may.
//!
//! - **Keeps** nothing of its own but the data directory's layout, the running server's credential
//!   and the positions of those who follow the changes.
//! - **How long** the credential lives as long as the server runs, a position until it is forgotten.
//! - **Who may** the person at the machine: whoever can read the data directory is its operator.
//! - **Never** holds a rule of a room: it opens engines, joins routes, jobs and sweeps, and turns
//!   the command line into calls.

mod admin;
mod backups;
mod care;
mod changes;
mod cli;
mod config;
mod consumers;
mod data_dir;
mod maintenance;
mod master_key;
mod migrate;
mod offline;
mod openapi;
mod operator;
mod router;
mod run;
mod schedule;
mod serve;
mod starting;
mod store;
mod swap;
mod terminal;

pub use backups::ArchiveError;
pub use config::{
    Archive, Auth, Backup, Config, ConfigError, Database, Disk, Http, Jobs, Log, Origin,
    Registration, Resolved, Search, Secret, Uploads,
};
pub use master_key::MasterKeyError;
pub use migrate::MigrateError;
pub use run::main;
pub use serve::{ServeError, Server};
pub use store::{OpenError, schema};
