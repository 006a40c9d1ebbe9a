//! Figures of the running server in the Prometheus text format.
//!
//! Label values come from route patterns, methods, status classes and fixed words only, so the
//! number of series is bounded by the program and not by its users.

use super::error::OpsError;
use crate::base::Time;
use crate::engine::db::{Space, Stats};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bounds of the duration buckets in seconds: from a cached read to the longest upload.
const DURATION_BUCKETS_S: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// A gauge of fractions.
type GaugeF64 = Gauge<f64, AtomicU64>;

/// No labels, for a figure that is left out until it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Unlabelled {}

/// A figure that is left out until it is known.
type Known = Family<Unlabelled, GaugeF64>;

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    job_type: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobStateLabels {
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SearchLabels {
    mode: &'static str,
    exact: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    model: String,
}

/// Makes histograms of durations.
#[derive(Debug, Clone)]
struct Durations;

impl MetricConstructor<Histogram> for Durations {
    fn new_metric(&self) -> Histogram {
        Histogram::new(DURATION_BUCKETS_S)
    }
}

/// One answered request.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Pattern of the route; `None` when no route took the request.
    pub route: Option<&'a str>,
    /// HTTP status.
    pub status: u16,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

/// A figure read when somebody asks: sets gauges just before they are written out.
type Source = Box<dyn Fn(&Metrics) + Send + Sync>;

/// Every metric of the server; `app` makes one and passes it on.
pub struct Metrics {
    registry: Registry,
    started: Time,
    sources: Vec<Source>,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RequestLabels, Histogram, Durations>,
    in_flight: Gauge,
    db_commits: Counter,
    db_operations: Counter,
    db_read_only: Gauge,
    disk_free: Gauge,
    store_file: Gauge,
    store_live: Gauge,
    store_ratio: GaugeF64,
    log: Gauge,
    store_read_only: Gauge,
    archive_lag: Known,
    archive_skipped: Gauge,
    backup_age: Known,
    jobs: Family<JobStateLabels, Gauge>,
    jobs_finished: Family<JobLabels, Counter>,
    searches: Family<SearchLabels, Counter>,
    search_durations: Family<SearchLabels, Histogram, Durations>,
    indexed_chunks: Gauge,
    outbox: Gauge,
    models: Family<ModelLabels, Gauge>,
    uptime: GaugeF64,
    memory: Gauge,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Metrics of a server of this version, started at this instant.
    pub fn new(version: &str, started: Time) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            started,
            sources: Vec::new(),
            requests: Family::default(),
            durations: Family::new_with_constructor(Durations),
            in_flight: Gauge::default(),
            db_commits: Counter::default(),
            db_operations: Counter::default(),
            db_read_only: Gauge::default(),
            disk_free: Gauge::default(),
            store_file: Gauge::default(),
            store_live: Gauge::default(),
            store_ratio: GaugeF64::default(),
            log: Gauge::default(),
            store_read_only: Gauge::default(),
            archive_lag: Known::default(),
            archive_skipped: Gauge::default(),
            backup_age: Known::default(),
            jobs: Family::default(),
            jobs_finished: Family::default(),
            searches: Family::default(),
            search_durations: Family::new_with_constructor(Durations),
            indexed_chunks: Gauge::default(),
            outbox: Gauge::default(),
            models: Family::default(),
            uptime: GaugeF64::default(),
            memory: Gauge::default(),
        };
        metrics.register(version);
        metrics
    }

    fn register(&mut self, version: &str) {
        let build = Info::new([("version", version.to_owned())]);
        let start = GaugeF64::default();
        start.set(self.started.unix_us() as f64 / 1e6);
        let all = &mut self.registry;
        all.register("faultmaven_build", "The running build", build);
        all.register("process_start_time_seconds", "When the server started (Unix time)", start);
        all.register("process_resident_memory_bytes", "Memory held", self.memory.clone());
        all.register("faultmaven_uptime_seconds", "Time since the start", self.uptime.clone());
        all.register("http_requests", "Requests answered", self.requests.clone());
        let help = "Time from a request to the head of its answer";
        all.register("http_request_duration_seconds", help, self.durations.clone());
        all.register("http_requests_in_flight", "Requests at work", self.in_flight.clone());
        all.register("faultmaven_db_commits", "Durable commits", self.db_commits.clone());
        let help = "Writes those commits carried";
        all.register("faultmaven_db_operations", help, self.db_operations.clone());
        let help = "1 when writes are refused after a failed commit";
        all.register("faultmaven_db_read_only", help, self.db_read_only.clone());
        let help = "Space left on the disk of the store";
        all.register("faultmaven_disk_free_bytes", help, self.disk_free.clone());
        let help = "Size of the store file";
        all.register("faultmaven_store_file_bytes", help, self.store_file.clone());
        let help = "Keys and values in the store file";
        all.register("faultmaven_store_live_bytes", help, self.store_live.clone());
        let help = "Size of the store file over what it holds; compacting brings it down";
        all.register("faultmaven_store_file_live_ratio", help, self.store_ratio.clone());
        let help = "Size of the change log";
        all.register("faultmaven_log_bytes", help, self.log.clone());
        let help = "1 when writes are refused: a commit failed or the disk is full";
        all.register("faultmaven_store_read_only", help, self.store_read_only.clone());
        let help = "Age of the oldest commit that the archive lacks: what a lost disk would cost";
        all.register("faultmaven_archive_lag_seconds", help, self.archive_lag.clone());
        let help = "Changes since the start that are in no archive";
        all.register("faultmaven_archive_skipped_changes", help, self.archive_skipped.clone());
        let help = "Time since the newest backup; absent before the first";
        all.register("faultmaven_last_backup_age_seconds", help, self.backup_age.clone());
        all.register("faultmaven_jobs", "Jobs kept, by status", self.jobs.clone());
        all.register("faultmaven_jobs_finished", "Jobs that ended", self.jobs_finished.clone());
        all.register("faultmaven_searches", "Searches answered", self.searches.clone());
        let help = "Time of a search";
        all.register("faultmaven_search_duration_seconds", help, self.search_durations.clone());
        let help = "Chunks that can be found";
        all.register("faultmaven_search_chunks", help, self.indexed_chunks.clone());
        let help = "Documents that wait for the indexer";
        all.register("faultmaven_search_outbox", help, self.outbox.clone());
        all.register("faultmaven_model_loaded", "1 for a model in memory", self.models.clone());
    }

    /// Adds a figure that is read when the metrics are written out.
    pub fn on_scrape(&mut self, source: impl Fn(&Self) + Send + Sync + 'static) {
        self.sources.push(Box::new(source));
    }

    /// A request begins; it is in flight until the guard goes.
    #[must_use]
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// A request was answered.
    pub fn answered(&self, request: Answered<'_>) {
        let labels = RequestLabels {
            method: known_method(request.method),
            route: request.route.unwrap_or("unmatched").to_owned(),
            status: status_class(request.status),
        };
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(request.took_us as f64 / 1e6);
    }

    /// Where the bytes of the store are, and whether the disk is too full for writes.
    pub fn set_space(&self, space: Space, full: bool) {
        self.disk_free.set(bytes(space.free_bytes));
        self.store_file.set(bytes(space.file_bytes));
        self.store_live.set(bytes(space.live_bytes));
        self.store_ratio.set(space.file_bytes as f64 / space.live_bytes.max(1) as f64);
        self.log.set(bytes(space.log_bytes));
        self.store_read_only.set(i64::from(full));
    }

    /// How many seconds of commits the archive lacks.
    pub fn set_archive_lag(&self, seconds: f64) {
        self.archive_lag.get_or_create(&Unlabelled {}).set(seconds);
    }

    /// How many changes the archive had to leave out.
    pub fn set_archive_skipped(&self, changes: u64) {
        self.archive_skipped.set(i64::try_from(changes).unwrap_or(i64::MAX));
    }

    /// How many seconds ago the newest backup was made.
    pub fn set_backup_age(&self, seconds: f64) {
        self.backup_age.get_or_create(&Unlabelled {}).set(seconds);
    }

    /// How many jobs there are in a status.
    pub fn set_jobs(&self, status: &'static str, count: usize) {
        self.jobs.get_or_create(&JobStateLabels { status }).set(gauge(count));
    }

    /// A job ended.
    pub fn job_finished(&self, job_type: &'static str, outcome: &'static str) {
        self.jobs_finished.get_or_create(&JobLabels { job_type, outcome }).inc();
    }

    /// A search was answered in `mode` (`hybrid`, `dense`, `sparse`, `lexical`).
    pub fn searched(&self, mode: &'static str, exact: bool, took_us: u64) {
        let labels = SearchLabels { mode, exact: if exact { "true" } else { "false" } };
        self.searches.get_or_create(&labels).inc();
        self.search_durations.get_or_create(&labels).observe(took_us as f64 / 1e6);
    }

    /// How much can be found, and how much waits to be indexed.
    pub fn set_index(&self, chunks: usize, outbox: usize) {
        self.indexed_chunks.set(gauge(chunks));
        self.outbox.set(gauge(outbox));
    }

    /// Whether a model is in memory.
    pub fn set_model(&self, model: &str, loaded: bool) {
        let labels = ModelLabels { model: model.to_owned() };
        self.models.get_or_create(&labels).set(i64::from(loaded));
    }

    /// Milliseconds since the start; never negative.
    pub fn uptime_ms(&self, now: Time) -> i64 {
        now.since_ms(self.started).max(0)
    }

    /// Writes everything out (OpenMetrics 1.0 text, which Prometheus reads).
    ///
    /// # Errors
    /// [`OpsError::Metrics`] when a metric does not encode.
    pub fn render(&self, now: Time, db: Stats) -> Result<String, OpsError> {
        for source in &self.sources {
            source(self);
        }
        self.db_commits.inner().store(db.commits, Ordering::Relaxed);
        self.db_operations.inner().store(db.operations, Ordering::Relaxed);
        self.db_read_only.set(i64::from(db.poisoned));
        if db.poisoned {
            self.store_read_only.set(1);
        }
        self.uptime.set(self.uptime_ms(now) as f64 / 1000.0);
        if let Some(bytes) = resident_bytes() {
            self.memory.set(bytes);
        }
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A request at work; counted until dropped, also when its handler panics.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A client may send any word as method; only those we know become a label.
fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}

fn status_class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// Memory the system holds for this process; `None` where it does not say (outside Linux).
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
