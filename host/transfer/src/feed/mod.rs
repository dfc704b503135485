//! The progress feed: the latest row of every task, and who follows which.
//!
//! There is no queue of events. Each row carries the version of the feed at which it last changed.
//! Each subscriber carries the version it has seen. A subscriber gets the rows that changed in
//! between, each in its latest state. So a slow subscriber costs only its cursor, and the cost of
//! publishing does not depend on the number of subscribers.
//!
//! Subscribers are told at common ticks. Those with the same filter that keep pace get the same
//! rows, as shared bytes. Ticks slow down when sending takes much processor time. A frame of many
//! rows is made in fragments while it is sent. So a subscriber that reads slowly holds one fragment
//! in memory, and later fragments have the state of a later time. What it missed it gets as one
//! frame with all rows that changed meanwhile.

mod chunk;
mod connection;
mod cut;
mod filter;
mod frame;
mod keys;
mod listeners;
mod progress_feed;
mod rows;
mod ticks;

pub use connection::{Connection, FRAME_INTERVAL};
pub use filter::Filter;
pub use frame::Fragment;
pub use keys::{KEY_LIFETIME, MAX_KEYS, SubscribeError};
pub use progress_feed::Feed;

#[cfg(test)]
mod tests;
