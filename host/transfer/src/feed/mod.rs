//! The progress feed: the latest row of every task, and who follows which.
//!
//! There is no queue of events. Each row carries the version of the feed at which it last changed.
//! Each subscriber carries the version it has seen. A subscriber gets the rows that changed in
//! between, each in its latest state. So a slow subscriber costs only its cursor, and the cost of
//! publishing does not depend on the number of subscribers.

mod connection;
mod filter;
mod keys;
mod listeners;
mod progress_feed;
mod rows;

pub use connection::{Connection, FRAME_INTERVAL};
pub use filter::Filter;
pub use keys::{KEY_LIFETIME, MAX_KEYS, SubscribeError};
pub use progress_feed::Feed;

#[cfg(test)]
mod tests;
