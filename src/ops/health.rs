//! Which parts of the server are ready.

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It works.
    Ok,
    /// It works with less, for example a search without a model.
    Degraded,
    /// It is not there yet.
    Starting,
    /// It does not work, and waiting will not help.
    Failed,
}

/// One component as `/readyz?verbose` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Component {
    /// Its name.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// Whether the server is of use without it.
    pub required: bool,
    /// What there is to say about it.
    pub message: String,
}

/// How the whole server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
    /// Everything works.
    Ready,
    /// Requests are served, with less.
    Degraded,
    /// A required component is not there yet.
    Starting,
    /// A required component does not work.
    Failed,
    /// The server is stopping: it finishes what it has and wants no more.
    Draining,
}

impl Overall {
    /// Whether new requests are wanted.
    pub fn serves(self) -> bool {
        matches!(self, Self::Ready | Self::Degraded)
    }
}

/// The state of every component at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Report {
    /// The sum.
    pub status: Overall,
    /// Each component, by name.
    pub components: Vec<Component>,
}

/// The components of the server; a handle, cheap to clone. Components are named by the program, so
/// their number is bounded.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    components: Mutex<BTreeMap<&'static str, Component>>,
    draining: AtomicBool,
}

impl Readiness {
    /// Without components, and so ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names a component that is still starting.
    pub fn register(&self, name: &'static str, required: bool) {
        let component =
            Component { name, state: State::Starting, required, message: "starting".into() };
        self.components().insert(name, component);
    }

    /// Says how a component is; one that was not registered is an optional one.
    pub fn set(&self, name: &'static str, state: State, message: impl Into<String>) {
        let mut components = self.components();
        let required = components.get(name).is_some_and(|component| component.required);
        components.insert(name, Component { name, state, required, message: message.into() });
    }

    /// The server is stopping: from now on `/readyz` says 503, so that no new work is sent.
    pub fn drain(&self) {
        self.inner.draining.store(true, Ordering::SeqCst);
    }

    /// Whether [`Readiness::drain`] was called.
    pub fn draining(&self) -> bool {
        self.inner.draining.load(Ordering::SeqCst)
    }

    /// How everything is now.
    pub fn report(&self) -> Report {
        let components: Vec<Component> = self.components().values().cloned().collect();
        let worst = |required: bool| {
            let of_kind = components.iter().filter(move |component| component.required == required);
            of_kind.map(|component| component.state).max().unwrap_or(State::Ok)
        };
        let status = match worst(true) {
            _ if self.draining() => Overall::Draining,
            State::Failed => Overall::Failed,
            State::Starting => Overall::Starting,
            State::Degraded => Overall::Degraded,
            State::Ok if worst(false) == State::Ok => Overall::Ready,
            State::Ok => Overall::Degraded,
        };
        Report { status, components }
    }

    fn components(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Component>> {
        self.inner.components.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
