//! Checks that hurt the program: kills, full disks, damaged files, long load. `make torture` runs
//! them at length, and the end-to-end tests in short.
//!
//! | module | what it is |
//! |---|---|
//! | [`client`], [`load`] | a client that tells an answer from a lost one; many of them |
//! | [`state`], [`operation`], [`writer`] | writers with a manifest, and what the server has of them |
//! | [`invariants`] | what must hold between tables, files and the space |
//! | [`kill`] | `kill -9` at random moments |
//! | [`small_disk`], [`disk_full`] | a disk without room |
//! | [`bit_flips`] | damaged files |
//! | [`single_owner`] | a second server on the same data; a clean stop under load |
//! | [`group_commit`], [`churn`], [`clock`] | many writers at once; many changes; a clock that jumps |
//! | [`flaky_link`], [`sample`] | a link that cuts transfers; what a process uses |
//! | [`visitor`], [`soak`] | a client of every method; everything at once, for long |

pub mod bit_flips;
mod choice;
pub mod churn;
pub mod client;
pub mod clock;
mod crowd;
pub mod disk_full;
pub mod flaky_link;
pub mod group_commit;
pub mod invariants;
pub mod kill;
pub mod load;
pub mod operation;
mod pipelined;
pub mod sample;
pub mod single_owner;
pub mod small_disk;
pub mod soak;
pub mod state;
pub mod visitor;
pub mod writer;
