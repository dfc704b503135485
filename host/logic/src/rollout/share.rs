//! Which calls a canary answers.

use crate::codec::fold_name;

/// The number below which `percent` (0 to 100) of all draws of 32 bits are.
pub(super) fn draws_below(percent: f64) -> u64 {
    (percent.clamp(0.0, 100.0) / 100.0 * (1u64 << 32) as f64) as u64
}

/// Which calls a canary answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// A call is included if its draw of 32 bits is below this.
    below: u64,
    /// Folded names of the methods. If it is empty, all methods of the module are included.
    methods: Vec<String>,
}

impl Share {
    /// `percent` (0 to 100) of the calls of these methods, or of all methods if none is named.
    pub fn new(percent: f64, methods: &[String]) -> Share {
        Share {
            below: draws_below(percent),
            methods: methods.iter().map(|m| fold_name(m)).collect(),
        }
    }

    /// Whether the share includes calls of this function.
    pub(crate) fn includes(&self, function: &str) -> bool {
        self.methods.is_empty() || self.methods.contains(&fold_name(function))
    }

    /// Whether the share includes the call with this seed.
    pub(crate) fn picks(&self, seed: &[u8; 32]) -> bool {
        // From the seed, so a call that runs again gets the same version.
        let draw = u32::from_le_bytes([seed[28], seed[29], seed[30], seed[31]]);
        u64::from(draw) < self.below
    }
}
