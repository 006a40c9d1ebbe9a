//! A query from its text to its hits.
//!
//! The vector of the query is made first, because that takes milliseconds and no transaction should
//! wait for it. Then one snapshot serves for permission, ranking and reading.

use super::Search;
use super::catalogue::Scope;
use super::error::{K_MAX, QUERY_BYTES_MAX, SearchError};
use super::fuse::{Ranked, alone, fuse};
use super::model::Model;
use super::tables::{ChunkRow, DocumentKey, DocumentRow, Ordinal, OutboxRow};
use crate::base::id::ChunkId;
use crate::engine::db::{Span, View, key};
use crate::engine::text::TextError;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering as Memory;
use utoipa::ToSchema;

/// Ranked passages looked at per hit, so that one long document does not hide the others.
const DEPTH_PER_HIT: usize = 8;
/// Least depth of a ranking; rank fusion needs some to agree on.
const DEPTH_MIN: usize = 200;

/// Which rankings answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Meaning and words together; words alone while there is no model or it fails.
    #[default]
    Hybrid,
    /// Meaning: cosine of embeddings.
    Dense,
    /// Weighted words of BGE-M3.
    Sparse,
    /// Words: BM25.
    Lexical,
}

/// A query that is ready to be answered.
pub struct Asked {
    text: String,
    mode: Mode,
    dense: Option<(Arc<Model>, Vec<f32>)>,
    /// Why a ranking that was asked for is left out.
    without: Option<String>,
}

/// What each ranking says of a hit; none where it is not in that ranking.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Scores {
    /// Cosine of query and passage, -1 to 1.
    pub dense: Option<f32>,
    /// Product of lexical weights.
    pub sparse: Option<f32>,
    /// BM25, above zero; comparable within one answer only.
    pub lexical: Option<f32>,
}

/// A passage that answers a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The document it is part of.
    pub document: DocumentKey,
    /// Its own id.
    pub chunk_id: ChunkId,
    /// Title of the document.
    pub title: String,
    /// The headings above the passage.
    pub heading: String,
    /// The passage.
    pub text: String,
    /// First byte in the document as its room stores it.
    pub offset_start: u64,
    /// Byte after the last one.
    pub offset_end: u64,
    /// 0 to 1: the fused rank, the cosine, or the share of the best BM25, by mode.
    pub score: f32,
    /// What each ranking says.
    pub scores: Scores,
    /// The collection it was found in.
    pub collection: String,
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Best first. The best passages of `k` different documents where there are as many, otherwise
    /// further passages of the same ones; `k` hits whenever `k` passages match.
    pub hits: Vec<Hit>,
    /// Whether the hits are proven to be the best of what the caller may see.
    pub exact: bool,
    /// Why it is exact, or why not.
    pub reason: String,
    /// The model that answered, or `lexical`.
    pub model: String,
    /// The rankings that answered, which are fewer than were asked for without a model.
    pub mode: Mode,
}

impl Search {
    /// Prepares a query. Without a model, or when it fails on the query, hybrid search goes by words
    /// alone and says so.
    ///
    /// # Errors
    /// [`SearchError::Query`], [`SearchError::NoSparse`], or [`SearchError::NoModel`] and the
    /// model's errors in dense mode.
    pub async fn ask(&self, query: &str, mode: Mode) -> Result<Asked, SearchError> {
        let text = query.trim().to_owned();
        if text.is_empty() || text.len() > QUERY_BYTES_MAX {
            return Err(SearchError::Query);
        }
        let serving = self.models().serving.filter(|model| model.loaded());
        let mut asked = Asked { text, mode, dense: None, without: None };
        match (mode, serving) {
            (Mode::Lexical, _) => {}
            (Mode::Sparse, Some(_)) => {
                return Err(SearchError::NoSparse("hybrid, dense, lexical"));
            }
            (Mode::Sparse, None) => return Err(SearchError::NoSparse("lexical")),
            (Mode::Dense, None) => return Err(SearchError::NoModel),
            (Mode::Hybrid, None) => {
                asked.mode = Mode::Lexical;
                asked.without = Some("no embedding model is loaded".to_owned());
            }
            (Mode::Hybrid | Mode::Dense, Some(model)) => {
                match model.pool().query(asked.text.clone()).await {
                    Ok(vector) => asked.dense = Some((model, vector)),
                    // Whatever ails the model, words can still answer.
                    Err(error) if mode == Mode::Hybrid => {
                        asked.mode = Mode::Lexical;
                        asked.without = Some(error.to_string());
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(asked)
    }

    /// Answers a prepared query with at most `k` passages of `scope`, read from the snapshot `tx`,
    /// from which the caller resolved `scope` too.
    ///
    /// # Errors
    /// [`SearchError::TooManyHits`] above [`K_MAX`], or an engine's error.
    pub fn find(
        &self,
        tx: &impl View,
        asked: &Asked,
        k: usize,
        scope: &Scope,
    ) -> Result<Answer, SearchError> {
        if k == 0 || k > K_MAX {
            return Err(SearchError::TooManyHits);
        }
        let mut allowed = self.inner.catalogue.allowed(scope);
        let behind = self.words_behind(tx, &allowed)?;
        loop {
            let (ranked, proven) = self.rank(asked, k, scope, &allowed)?;
            let (hits, gone) = choose(tx, &ranked, k)?;
            if gone.is_empty() {
                let (exact, reason) = exactness(asked, &allowed, proven, behind.as_deref());
                let model = match &asked.dense {
                    Some((model, _)) => model.id().to_owned(),
                    None => "lexical".to_owned(),
                };
                return Ok(Answer { hits, exact, reason, model, mode: asked.mode });
            }
            // These came or went since the snapshot began; ask again without them.
            allowed -= gone;
        }
    }

    fn rank(
        &self,
        asked: &Asked,
        k: usize,
        scope: &Scope,
        allowed: &RoaringBitmap,
    ) -> Result<(Vec<Ranked>, bool), SearchError> {
        let depth = (k * DEPTH_PER_HIT).max(DEPTH_MIN);
        let mut proven = true;
        let dense: Vec<(u32, f32)> = match &asked.dense {
            Some((model, vector)) => {
                let found = model.search(&scope.collections, vector, depth, allowed)?;
                proven = found.exact;
                found.hits.iter().map(|hit| (hit.ordinal, hit.score)).collect()
            }
            None => Vec::new(),
        };
        let lexical: Vec<(u32, f32)> = match asked.mode {
            Mode::Hybrid | Mode::Lexical => {
                let hits = self.inner.text.search(&asked.text, depth, allowed);
                if matches!(hits, Err(TextError::Damaged)) {
                    self.reindex();
                }
                let hits = hits?;
                hits.iter().map(|hit| (hit.ordinal, hit.score)).collect()
            }
            Mode::Dense | Mode::Sparse => Vec::new(),
        };
        let ordinals = dense.iter().chain(&lexical).map(|(ordinal, _)| *ordinal);
        let documents = self.inner.catalogue.documents(ordinals);
        let ranked = match asked.mode {
            Mode::Hybrid => fuse(&dense, &lexical, &documents),
            _ => alone(&dense, &lexical, &documents),
        };
        Ok((ranked, proven))
    }

    /// What of the allowed passages the word index does not know yet, in words.
    fn words_behind(
        &self,
        tx: &impl View,
        allowed: &RoaringBitmap,
    ) -> Result<Option<String>, SearchError> {
        if self.inner.rebuild.load(Memory::SeqCst) {
            return Ok(Some("the word index is being filled anew".to_owned()));
        }
        let applied = self.inner.applied.load(Memory::SeqCst);
        let mut behind = 0;
        tx.each_row(&Span::all().after(&key().u64(applied)), |row: OutboxRow| {
            if !row.removed {
                behind += allowed.range_cardinality(row.ordinals());
            }
            ControlFlow::Continue(())
        })?;
        let words = || format!("{behind} passages are not in the word index yet");
        Ok((behind > 0).then(words))
    }
}

/// Reads the first `k` of a ranking and orders them by score; answers also the ordinals that have
/// no row in this snapshot.
fn choose(
    tx: &impl View,
    ranked: &[Ranked],
    k: usize,
) -> Result<(Vec<Hit>, RoaringBitmap), SearchError> {
    let mut gone = RoaringBitmap::new();
    let mut hits = Vec::with_capacity(k);
    for ranked in ranked.iter().take(k) {
        let hit = match tx.get::<ChunkRow>(&Ordinal(ranked.ordinal))? {
            Some(row) => tx.get::<DocumentRow>(&row.document)?.map(|doc| hit(ranked, row, doc)),
            None => None,
        };
        if hit.is_none() {
            gone.insert(ranked.ordinal);
        }
        hits.extend(hit);
    }
    hits.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok((hits, gone))
}

fn hit(ranked: &Ranked, row: ChunkRow, document: DocumentRow) -> Hit {
    Hit {
        document: row.document,
        chunk_id: row.chunk_id,
        title: document.title,
        heading: row.heading,
        text: row.text,
        offset_start: row.offset_start,
        offset_end: row.offset_end,
        score: ranked.score,
        scores: Scores { dense: ranked.dense, sparse: None, lexical: ranked.lexical },
        collection: document.collection,
    }
}

/// Whether the hits are proven to be the best, and why.
fn exactness(
    asked: &Asked,
    allowed: &RoaringBitmap,
    proven: bool,
    words_behind: Option<&str>,
) -> (bool, String) {
    let by_words = matches!(asked.mode, Mode::Hybrid | Mode::Lexical);
    if let Some(behind) = words_behind.filter(|_| by_words) {
        return (false, behind.to_owned());
    }
    let total = allowed.len();
    if let Some((model, _)) = &asked.dense {
        let embedded = model.embedded(allowed);
        if embedded < total {
            return (false, format!("{} of {total} passages have no vector yet", total - embedded));
        }
    }
    if !proven {
        return (false, "the vectors were searched approximately".to_owned());
    }
    let how = if asked.dense.is_some() { "exact scan" } else { "exact word search" };
    match &asked.without {
        Some(cause) => (true, format!("{how} of {total} passages; {cause}")),
        None => (true, format!("{how} of {total} passages")),
    }
}
