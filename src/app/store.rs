//! Opening a store: the tables of all rooms, the engines over one data directory.

use super::config::Config;
use super::data_dir::DataDir;
use crate::engine::blob::{BlobError, Blobs};
use crate::engine::db::{Db, DbError, Options, Schema};
use crate::engine::key::Seal;
use crate::engine::text::{TextError, TextIndex};
use crate::search::{Search, SearchError};
use crate::{cases, jobs, knowledge, ops, reports, search, uploads, users, web};

/// A store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made.
    #[error("cannot use {path}: {cause}")]
    Directory {
        /// The directory.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Another process has the store open.
    #[error("{path} is in use by another faultmaven process")]
    InUse {
        /// The directory.
        path: String,
    },
    /// The database cannot be opened.
    #[error("the database cannot be opened: {0}")]
    Database(DbError),
    /// The blobs cannot be opened.
    #[error("the blobs cannot be opened: {0}")]
    Blobs(#[from] BlobError),
    /// The full-text index cannot be opened.
    #[error("the full-text index cannot be opened: {0}")]
    Text(#[from] TextError),
    /// The search catalogue cannot be read.
    #[error("the search catalogue cannot be read: {0}")]
    Search(#[from] SearchError),
}

/// The tables of all rooms.
pub fn schema() -> Schema {
    let rooms = [
        search::schema,
        web::schema,
        ops::schema,
        jobs::schema,
        users::schema,
        cases::schema,
        knowledge::schema,
        uploads::schema,
        reports::schema,
    ];
    rooms.into_iter().fold(Schema::new(), |schema, room| room(schema))
}

/// The engines over one data directory.
pub(super) struct Store {
    pub(super) db: Db,
    pub(super) blobs: Blobs,
    pub(super) search: Search,
}

/// Opens only the database, for commands that need no more.
pub(super) fn open_db(config: &Config) -> Result<Db, OpenError> {
    let dir = DataDir::new(&config.data_dir);
    let path = dir.path().display().to_string();
    dir.create().map_err(|cause| OpenError::Directory { path: path.clone(), cause })?;
    let cache_bytes = usize::from(config.database.cache_mib) << 20;
    let options = Options::default().with_cache(cache_bytes);
    Db::open_in(&dir.database(), options, schema()).map_err(|error| match error {
        DbError::InUse => OpenError::InUse { path },
        error => OpenError::Database(error),
    })
}

/// Opens everything.
pub(super) fn open(config: &Config) -> Result<Store, OpenError> {
    let db = open_db(config)?;
    let dir = DataDir::new(&config.data_dir);
    let blobs = Blobs::open(&dir.blobs(), &Seal::checked())?;
    let (text, opened) = TextIndex::open(&dir.text(), &Seal::checked())?;
    let search = Search::open(&db, text, opened)?;
    let passages = search.ready().passages;
    if opened.rebuilt && passages > 0 {
        tracing::warn!(passages, "the full-text index was missing or damaged and is rebuilt");
    }
    Ok(Store { db, blobs, search })
}
