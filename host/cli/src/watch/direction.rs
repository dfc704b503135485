//! The direction of a transfer.

use clap::ValueEnum;

/// The direction of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Direction {
    /// From this machine to the space
    Upload,
    /// From the space to this machine
    Download,
}

impl Direction {
    /// The feed's `type`.
    pub(super) fn wire(self) -> u8 {
        match self {
            Self::Upload => 0,
            Self::Download => 1,
        }
    }
}
