//! Which of the eight types a file is: content first, name second, MIME type last (decision 12).
//!
//! Every recogniser looks at the same bounded sample and offers guesses with a score from 0 to 1:
//! [`binary`] by magic bytes, [`document`] for JSON, [`profile`], [`metrics`] and [`table`] for
//! measurements, [`config`], [`code`], [`prose`] and [`log`] for text. The name and the MIME type
//! ([`name`]) raise guesses that agree with them and decide only where the content says little.
//! Cost is bounded by the sample, whatever the size of the file.

mod binary;
mod code;
mod config;
mod document;
mod json;
mod log;
mod marks;
mod metrics;
mod name;
mod profile;
mod prose;
mod sample;
mod table;

use super::DataType;
use name::Hint;
use sample::Sample;

/// Most other types named.
const ALTERNATIVES_MAX: usize = 3;
/// Score from which another type is worth naming.
const ALTERNATIVE_SCORE_MIN: f64 = 0.25;
/// How far a name that agrees in type and format closes the gap to certainty.
const NAME_WEIGHT: f64 = 0.45;
/// How far a name that agrees in type alone closes the gap to certainty.
const NAME_TYPE_WEIGHT: f64 = 0.3;
/// What a name is worth when the content says little.
const NAME_ALONE: f64 = 0.52;
/// How far a MIME type that agrees closes the gap to certainty.
const MIME_WEIGHT: f64 = 0.12;
/// Score from which a text is a log, whatever it quotes.
const LOG: f64 = 0.68;
/// Highest confidence: a sample is not a proof.
const CONFIDENCE_MAX: f64 = 0.99;

/// What a file seems to be.
#[derive(Debug, Clone, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct Classification {
    /// The likeliest type.
    pub data_type: DataType,
    /// The format within the type, for example `syslog`, `jaeger` or `yaml`.
    pub format: String,
    /// Confidence in the type, 0 to 1.
    pub confidence_score: f64,
    /// Other types it may be, likeliest first.
    pub alternative_types: Vec<DataType>,
}

/// One recogniser's opinion.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Guess {
    data_type: DataType,
    format: &'static str,
    score: f64,
}

impl Guess {
    const fn new(data_type: DataType, format: &'static str, score: f64) -> Self {
        Self { data_type, format, score }
    }
}

/// Names the type and format of unpacked `content`, uploaded as `name` with MIME type `mime`.
pub fn classify(name: &str, mime: Option<&str>, content: &[u8]) -> Classification {
    let named = name::from_name(name);
    if let Some(guess) = binary::guess(content) {
        return settle(vec![guess], named, None);
    }
    let decoded = sample::decode(content);
    let sample = Sample::new(&decoded);
    if sample.is_empty() {
        return settle(vec![Guess::new(DataType::UnstructuredText, "empty", 0.1)], None, None);
    }
    let mimed = mime.and_then(name::from_mime);
    settle(look(&sample), named, mimed)
}

/// What the recognisers of text say.
fn look(sample: &Sample<'_>) -> Vec<Guess> {
    let mut guesses = Vec::new();
    if let Some(outline) = json::outline(sample.text) {
        guesses.extend(document::guess(&outline, sample));
        // A document whose punctuation is sound is no other kind of text.
        if !outline.relaxed {
            return guesses;
        }
    }
    guesses.extend(profile::guess(sample));
    guesses.extend(metrics::guess(sample));
    guesses.extend(table::guess(sample));
    // Measurements and samples carry times in every line, which alone would look like a log.
    let measured = guesses.iter().map(|guess| guess.score).fold(0.0, f64::max);
    let log = log::guess(sample, measured);
    let mut config = config::guess(sample);
    let mut code = code::guess(sample);
    if let Some(code) = &mut code {
        // Frames of stack traces quote lines of programs.
        code.score *= if log.is_some_and(|log| log.score >= LOG) { 0.7 } else { 1.0 };
    }
    if let (Some(config), Some(code)) = (&mut config, &code) {
        // Braces of no known dialect are more often a program's.
        config.score *= if config.format == "conf" && code.score >= 0.35 { 0.6 } else { 1.0 };
    }
    guesses.extend(prose::guess(sample, code.map_or(0.0, |guess| guess.score)));
    guesses.extend(log.into_iter().chain(config).chain(code));
    guesses
}

fn settle(mut guesses: Vec<Guess>, named: Option<Hint>, mimed: Option<Hint>) -> Classification {
    if let Some(hint) = named {
        raise(&mut guesses, hint, NAME_WEIGHT, NAME_TYPE_WEIGHT);
        guesses.push(Guess::new(hint.data_type, hint.format, hint.strength * NAME_ALONE));
    }
    if let Some(hint) = mimed {
        raise(&mut guesses, hint, MIME_WEIGHT, MIME_WEIGHT);
    }
    guesses.sort_by(|a, b| b.score.total_cmp(&a.score));
    let Some(best) = guesses.first().copied() else {
        return Classification {
            data_type: DataType::UnstructuredText,
            format: "text".to_owned(),
            confidence_score: 0.1,
            alternative_types: Vec::new(),
        };
    };
    let mut alternative_types = Vec::new();
    for guess in guesses.iter().filter(|guess| guess.score >= ALTERNATIVE_SCORE_MIN) {
        let known = guess.data_type == best.data_type;
        if !known
            && !alternative_types.contains(&guess.data_type)
            && alternative_types.len() < ALTERNATIVES_MAX
        {
            alternative_types.push(guess.data_type);
        }
    }
    let spelled = named.filter(|hint| hint.spells_format && hint.data_type == best.data_type);
    Classification {
        data_type: best.data_type,
        format: spelled.map_or(best.format, |hint| hint.format).to_owned(),
        confidence_score: (best.score.clamp(0.0, CONFIDENCE_MAX) * 100.0).round() / 100.0,
        alternative_types,
    }
}

/// Lets a hint raise the guesses that agree with it.
fn raise(guesses: &mut [Guess], hint: Hint, same_format: f64, same_type: f64) {
    for guess in guesses.iter_mut().filter(|guess| guess.data_type == hint.data_type) {
        let weight = if guess.format == hint.format { same_format } else { same_type };
        guess.score += (1.0 - guess.score) * weight * hint.strength;
    }
}

#[cfg(test)]
mod tests;
