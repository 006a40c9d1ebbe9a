//! One technology each; engines know bytes, never nouns.

pub mod key;
pub mod blob;
pub mod db;
pub mod disk;
pub mod embed;
pub mod text;
pub mod vector;
