//! Versions of the module `changing`, whose behaviour is in its bytes.
//!
//! ```no_run
//! use stowage_tests::changing::{Migration, Work, changing, plain};
//!
//! let good = changing(plain('a'));
//! let traps = changing(plain('b').work(Work::Trap));
//! let migrates = changing(plain('c').rows(1, Migration::InBatches));
//! ```

use crate::modules::module;

/// The text before the behaviour in the module's bytes.
const MARK: &[u8] = b"behaviour-of-this-:";

/// What a version of the module does. Versions with another label are other versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    label: char,
    work: Work,
    schema: u8,
    migration: Migration,
    self_test: SelfTest,
}

/// What `work` does instead of adding one to a number, or a bug in another function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Work {
    /// Adds one to a number.
    Count = b'o',
    /// Traps.
    Trap = b't',
    /// Loops without end.
    Loop = b'l',
    /// Answers an error of code 777.
    Error = b'e',
    /// Takes all memory, then traps.
    HoardAndTrap = b'm',
    /// Takes memory up to the limit, then counts.
    Hoard = b'g',
    /// Waits in the host for an hour.
    Sleep = b'h',
    /// Scans the table of rows without end.
    Scan = b's',
    /// Computes for a few ticks, then counts.
    Compute = b'c',
    /// Prints without end.
    PrintWithoutEnd = b'v',
    /// Prints much more than a call may log, then counts.
    PrintMuch = b'w',
    /// Counts; `rows-page` is off by one from the second page on.
    OffByOne = b'p',
    /// Counts; `percent` rounds down.
    RoundDown = b'r',
}

/// How a version migrates older rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Migration {
    /// There are no older rows.
    None = b'0',
    /// In one step.
    InOneStep = b'1',
    /// In batches.
    InBatches = b'b',
    /// Fails at once.
    Fails = b'x',
    /// In batches, and fails in the middle.
    FailsMidway = b'f',
    /// In batches, and traps in the middle.
    TrapsMidway = b't',
    /// Makes no progress.
    StandsStill = b's',
}

/// What the self-test does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SelfTest {
    /// Passes.
    Passes = b'o',
    /// Fails.
    Fails = b'f',
    /// Loops without end.
    Loops = b'l',
    /// Waits in the host for an hour.
    Sleeps = b'h',
    /// Passes if the rows are of its own version.
    LooksAtRows = b'd',
}

/// A version that does what it should, with rows of version 0. `label` is an ASCII character.
pub const fn plain(label: char) -> Behaviour {
    Behaviour {
        label,
        work: Work::Count,
        schema: 0,
        migration: Migration::None,
        self_test: SelfTest::Passes,
    }
}

impl Behaviour {
    /// With another `work`.
    #[must_use]
    pub const fn work(mut self, work: Work) -> Behaviour {
        self.work = work;
        self
    }

    /// With rows of this version, 0 to 9, to which it migrates older ones.
    #[must_use]
    pub const fn rows(mut self, version: u8, migration: Migration) -> Behaviour {
        self.schema = version;
        self.migration = migration;
        self
    }

    /// With another self-test.
    #[must_use]
    pub const fn self_test(mut self, self_test: SelfTest) -> Behaviour {
        self.self_test = self_test;
        self
    }

    /// One byte each, in the order in which the module reads them.
    fn bytes(self) -> [u8; 5] {
        let label = u8::try_from(self.label).expect("an ASCII label");
        assert!(self.schema < 10, "a version of rows is one digit");
        [
            label,
            self.work as u8,
            b'0' + self.schema,
            self.migration as u8,
            self.self_test as u8,
        ]
    }
}

/// The bytes of the module with this behaviour.
///
/// # Panics
/// When the module is not built.
pub fn changing(behaviour: Behaviour) -> Vec<u8> {
    let mut module = module("changing");
    let mark = module.windows(MARK.len()).position(|bytes| bytes == MARK);
    let at = mark.expect("the mark") + MARK.len();
    module[at..at + 5].copy_from_slice(&behaviour.bytes());
    module
}
