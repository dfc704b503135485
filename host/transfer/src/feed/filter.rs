//! Which tasks a key follows.

use crate::row::Direction;

/// Which tasks a key follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Uploads or downloads.
    pub direction: Direction,
    /// The platform of the tasks, 0…4.
    pub platform: u8,
    /// Only tasks in this status. `None` means any.
    pub status: Option<i32>,
}
