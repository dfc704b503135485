//! Which tasks a key follows.

use crate::row::{Direction, Row};

/// Which tasks a key follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Uploads or downloads.
    pub direction: Direction,
    /// The platform of the tasks, 0…4.
    pub platform: u8,
    /// Only tasks in this status. `None` means any.
    pub status: Option<i32>,
}

impl Filter {
    /// Whether the row of a task matches. The channel has already decided on the direction.
    pub(super) fn matches(&self, row: &Row) -> bool {
        row.platform == self.platform && self.status.is_none_or(|status| row.status == status)
    }
}
