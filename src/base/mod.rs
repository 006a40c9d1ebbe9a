//! Words that every room may use: ids, time, actor, error class, page, JSON text.
//!
//! Nothing here does input or output except [`time::Clock`] and [`id::Ids`], the two doors through
//! which time and randomness enter the program. A word is taken in only when three rooms speak it.

pub mod actor;
pub mod error;
pub mod id;
pub mod json;
pub mod page;
pub mod time;

pub use actor::{Actor, Role};
pub use error::{Class, Classify, FieldError};
pub use id::{Id, Ids};
pub use json::Json;
pub use page::{Page, PageRequest};
pub use time::{Clock, Time};
