//! FaultMaven: the troubleshooting store in one binary.
//!
//! This page is the architecture of the running code: the map, the rules, the data categories and
//! three walkthroughs. The modules below are listed in rank order: **a module imports only from
//! modules above it**. `tests/architecture.rs` reads this list and fails on anything else.
//!
//! # The five promises
//!
//! 1. **One commit.** A row, its index entries, its audit entry, its job and its search outbox entry
//!    become durable in one transaction, or none does.
//! 2. **Truth and derivations.** The database and the blobs are the truth. The word index, the
//!    vectors in memory and every cache are derived: each knows the last change it applied, can be
//!    thrown away, and is rebuilt without a human and without embedding anything twice.
//! 3. **Permission is part of the query.** A search, list, job or event sees what the caller may see
//!    at that commit. Nothing is filtered after the fact.
//! 4. **Nothing leaves the machine.** No download at run time, no telemetry, no external asset.
//! 5. **Every claim can be checked.** An insight names its lines, a search says whether it was exact,
//!    the audit trail is a hash chain.
//!
//! # The map
//!
//! | room | what it is |
//! |---|---|
//! | [`base`] | words everyone may use: ids, time, actor, error class, page, JSON text |
//! | [`privacy`] | redaction of personal data and secrets: pure functions |
//! | [`engine`] | one technology each: `disk` (files with explicit durability), `key` (ring, aes), `db` (redb), `blob` (object_store), `text` (tantivy), `vector` (exact SIMD scan), `embed` (candle, tokenizers); they know bytes, never nouns |
//! | [`search`] | documents in, ranked passages out: chunk, outbox, indexer, fusion, rebuild |
//! | [`web`] | the HTTP shell: context, problem+json, paging, idempotency, ETag; no routes |
//! | [`ops`] | audit chain, metrics, logs, health |
//! | [`jobs`] | durable queue with leases, retries and progress; knows no job body |
//! | [`users`] | accounts, sign-in, sessions |
//! | [`cases`] | case, evidence, hypothesis, solution, message, tag, tool call, and the row of a file |
//! | [`knowledge`] | a person's documents |
//! | [`uploads`] | classify, redact, analyse, keep files |
//! | [`reports`] | versions and generation of reports |
//! | [`backup`] | backup files, the archive of changes, restores to a point in time |
//! | [`app`] | where everything meets: configuration, command line, router, schedules |
//!
//! Every room has the same plan: `mod.rs` is the room card and the doors, `tables.rs` the rows and
//! indexes (private to the room), one file per noun, `error.rs` one enum, `http.rs` routes and wire
//! shapes, `jobs.rs` bodies of background work, `sweep.rs` what time does to it.
//!
//! # The twelve data categories
//!
//! | # | category | room | how long |
//! |---|---|---|---|
//! | 1 | users | [`users`] | until erased; sessions and tokens by their time |
//! | 2 | cases | [`cases`] | until the owner deletes them |
//! | 3 | uploaded machine data | [`uploads`] (row in [`cases`]) | as long as the case |
//! | 4 | user knowledge base | [`knowledge`] | until the owner deletes it |
//! | 5 | case working memory | not yet built | |
//! | 6 | global knowledge base | not yet built | |
//! | 7 | reports | [`reports`] | 90 days after closure, five versions each; runbooks stay |
//! | 8 | jobs | [`jobs`] | 24 hours after their end |
//! | 9 | model artifacts | embedding models only, in `models/` | |
//! | 10 | protection state | sign-in back-off only, in [`users`] | |
//! | 11 | cache | not yet built | |
//! | 12 | operational data | [`ops`] | audit: all of it; metrics: in memory |
//!
//! # Invariants
//!
//! * A write closure may run twice: ids, times and secrets are made outside it ([`engine::db`]).
//! * **Blob first, row second, index last.** A crash leaves an orphan blob (swept) or an unindexed
//!   row (replayed), never a dangling pointer.
//! * An operation takes a proof ([`cases::access`]), not an id: the unchecked call does not compile.
//! * Redaction comes before anything derived: analyses, evidence, passages and vectors are made from
//!   redacted text. The raw file is kept; reading it is audited.
//! * Time limits are enforced on read; sweeps only return space.
//! * Rooms record facts with times; downstream rooms read them. Nothing calls upward.
//! * There is no global state: database, clock, ids and actor are arguments.
//!
//! # An upload
//!
//! `POST /cases/{id}/files` proves that the caller may write the case, then streams the multipart body
//! to a blob, hashing as it goes; the blob is synced before anything names it. One commit then holds
//! the file's row, the job and the audit entry, and the answer is 202 with the job. A worker claims
//! the job under a lease, unpacks, classifies, redacts and analyses on a blocking thread, and one
//! commit holds the analysis, the evidence, the case's placeholder numbers and the end of the job.
//! A poll of the job then answers 303 to the evidence.
//!
//! # A search
//!
//! `POST /knowledge/search` embeds the query on a bounded pool (or not, in lexical mode), takes one
//! database snapshot, resolves what the caller may see in it to a set of passages, and ranks inside
//! that set: an exact scan over int8 codes with rescoring, and BM25. The two lists are fused by
//! reciprocal rank, the passages are read from the same snapshot, and the answer says which model
//! served, whether it was exact, and why not.
//!
//! # A write
//!
//! One writer thread runs the waiting closures in one redb transaction while every value they leave
//! is recorded. The record is sealed, appended to the write-ahead log and synced; only then readers
//! see the change and the callers are answered. Redb itself commits without waiting for the disk; a
//! checkpoint twice a second makes its file durable and says how much of the log it holds. The log is
//! what the archive copies and what `GET /admin/changes` tells.
//!
//! # A restart after a crash
//!
//! A swap that a restore or migration had decided is completed. The store file opens at its last
//! checkpoint, and the records that only the log has are applied again; a gap or a damaged record
//! before a whole one is named, and the start refused. Jobs that were running wait again; their bodies
//! are idempotent. The catalogue of passages and the vectors are read from the database; the word
//! index tells the last change it has, and the outbox replays the rest, or the index is rebuilt
//! from the stored passages when it is missing or damaged. Blobs without a row are swept. Nothing
//! is embedded twice, and nothing that was acknowledged is missing.
//!
//! # A restore
//!
//! A backup, and with a time the archive, fill a fresh database and fresh blobs in `incoming/` of the
//! data directory. What was filled is read back and compared with the sums in the backup. One renamed
//! file then decides the swap; the old content stays beside the new. The restored store is another
//! history with another id, so that its archive is never mixed with that of the old one.

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
pub mod backup;
pub mod app;
