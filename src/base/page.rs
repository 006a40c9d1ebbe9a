//! Paging of lists: a bounded window over a stable order.

/// Largest page (api.md, conventions).
pub const PAGE_LIMIT_MAX: usize = 100;
/// Page size when none is asked for.
pub const PAGE_LIMIT_DEFAULT: usize = 20;
/// Furthest a list can be entered by offset; beyond it a cursor is cheaper for everyone.
pub const PAGE_OFFSET_MAX: usize = 100_000;

/// Which window of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Rows wanted, 1 to [`PAGE_LIMIT_MAX`].
    pub limit: usize,
    /// Rows skipped before the first.
    pub offset: usize,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: PAGE_LIMIT_DEFAULT, offset: 0 }
    }
}

/// One window of a list and how large the whole is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows of the window, in list order.
    pub items: Vec<T>,
    /// Rows in the whole list.
    pub total_count: usize,
    /// The window that was asked for.
    pub request: PageRequest,
}

impl<T> Page<T> {
    /// Whether rows follow the window.
    pub fn has_more(&self) -> bool {
        self.request.offset + self.items.len() < self.total_count
    }

    /// The same window over other values.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            total_count: self.total_count,
            request: self.request,
        }
    }
}
