//! Tables with delimiters: time series, matrices of numbers, and lists of words.

use super::super::DataType::{LogsAndErrors, MetricsAndPerformance, UnstructuredText};
use super::super::logs;
use super::Guess;
use super::sample::{Sample, share};

/// Most rows looked at.
const ROWS_MAX: usize = 200;
/// Most rows of headings: names of series, of statistics, of units.
const HEADINGS_MAX: usize = 5;
/// Mean words in a cell from which a column holds sentences.
const SENTENCE_WORDS: f64 = 2.5;

/// What a column holds, in cells that are not empty.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    filled: usize,
    times: usize,
    numbers: usize,
    words: usize,
}

/// Types that the table may have, if it is one.
pub(super) fn guess(sample: &Sample<'_>) -> Option<Guess> {
    let rows: Vec<&str> =
        sample.filled().filter(|line| !line.starts_with('#')).take(ROWS_MAX).collect();
    let (rows, width) = [',', '\t', ';', '|'].iter().find_map(|mark| split(&rows, *mark))?;
    let headings =
        rows.iter().take(HEADINGS_MAX).take_while(|row| !row.iter().any(|c| is_value(c))).count();
    let body = rows.get(headings..).filter(|body| !body.is_empty())?;
    let mut columns = vec![Column::default(); width];
    for row in body {
        for (column, cell) in columns.iter_mut().zip(row) {
            column.count(cell);
        }
    }
    let (score, data_type) = judge(&columns, headings, body.len())?;
    Some(Guess::new(data_type, "csv", score))
}

fn judge(columns: &[Column], headings: usize, rows: usize) -> Option<(f64, super::DataType)> {
    let mostly =
        |part: usize, column: &Column| column.filled > 0 && share(part, column.filled) >= 0.8;
    let time = columns.iter().position(|column| mostly(column.times, column));
    let numeric = columns
        .iter()
        .enumerate()
        .filter(|(at, column)| Some(*at) != time && mostly(column.numbers, column))
        .count();
    let told = columns.iter().any(|column| {
        !mostly(column.numbers, column)
            && !mostly(column.times, column)
            && share(column.words, column.filled) >= SENTENCE_WORDS
    });
    let labels =
        columns.iter().filter(|c| c.filled > 0).count() - numeric - usize::from(time.is_some());
    match (time.is_some(), numeric) {
        (true, _) if told => (headings > 0).then_some((0.7, LogsAndErrors)),
        (true, 1..) if labels <= numeric.max(2) * 2 => Some((0.97, MetricsAndPerformance)),
        (true, 1..) => Some((0.6, MetricsAndPerformance)),
        (false, 1..) if numeric >= labels && rows > 1 => {
            Some((if headings > 0 { 0.7 } else { 0.55 }, MetricsAndPerformance))
        }
        _ if rows > 2 && headings > 0 && columns.len() > 2 => Some((0.4, UnstructuredText)),
        _ => None,
    }
}

/// The cells of each row and their usual number, when nearly all rows have as many.
fn split<'a>(rows: &[&'a str], mark: char) -> Option<(Vec<Vec<&'a str>>, usize)> {
    let cells: Vec<Vec<&str>> = rows.iter().map(|row| cells(row, mark)).collect();
    let width = cells.get(cells.len() / 2)?.len();
    let fits = cells.iter().filter(|row| row.len() == width).count();
    let sound = width > 1 && rows.len() > 1 && share(fits, rows.len()) >= 0.95;
    sound.then_some((cells, width))
}

fn cells(row: &str, mark: char) -> Vec<&str> {
    let mut quoted = false;
    row.split(|c| {
        quoted ^= c == '"';
        c == mark && !quoted
    })
    .map(|cell| cell.trim().trim_matches('"'))
    .collect()
}

fn is_value(cell: &str) -> bool {
    is_number(cell) || logs::is_time(cell)
}

fn is_number(cell: &str) -> bool {
    let digits = cell.bytes().any(|b| b.is_ascii_digit());
    digits && (cell.parse::<f64>().is_ok() || cell.trim_end_matches('%').parse::<f64>().is_ok())
}

impl Column {
    fn count(&mut self, cell: &str) {
        // What tools print for no value.
        if matches!(cell, "" | "NaN" | "nan" | "null" | "NULL" | "-" | "NA" | "N/A") {
            return;
        }
        self.filled += 1;
        self.times += usize::from(logs::is_time(cell));
        self.numbers += usize::from(is_number(cell));
        self.words += cell.split_ascii_whitespace().count();
    }
}
