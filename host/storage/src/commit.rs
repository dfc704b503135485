//! The result of a commit.

/// The place of a transaction in the commit order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// The transaction saw the effects of all transactions with a lower number, and of no others.
    /// Without writes, it is the number of the last transaction in its snapshot. Numbers start at 1
    /// each time a store is opened, and have gaps.
    pub sequence: u64,
    /// The number of the batch that made it durable, counted from 1 since the store was opened.
    /// `None` without writes.
    pub batch: Option<u64>,
}
