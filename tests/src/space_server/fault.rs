//! What goes wrong, chosen by a seed.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::random::Random;

/// What goes wrong with one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends before the answer.
    HangUp,
    /// The connection is reset after this many bytes of the body.
    Reset(u64),
    /// After this many bytes of the body, nothing comes for a while. Then the connection ends.
    Stall(u64, Duration),
    /// The body comes in small pieces, with pauses.
    Drip,
    /// Status 200 with only the first bytes of the object, and a length that fits them.
    Short(u64),
    /// Status 200 with the whole object, as of a server without ranges.
    Whole,
    /// Status 206 with another range than the one that was asked for.
    OtherRange,
    /// Status 416, although the range is right.
    Unsatisfiable,
    /// Status 429 or 503 with this `Retry-After`, in seconds.
    Busy(u16, u32),
    /// Status 403.
    Forbidden,
    /// One bit of the body is another one, in the byte that this number chooses.
    Flip(u64),
    /// Other bytes of the same length, with another ETag.
    Changed,
    /// Status 404.
    Gone,
}

/// How the server treats one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Character {
    /// Without faults.
    Sound,
    /// With this many faulty answers; then without faults.
    Troubled(u32),
    /// Every answer is whole: the server has no ranges for it.
    Rangeless,
    /// Its bytes are wrong in the first answer.
    OnceWrong,
    /// Its bytes are wrong in every answer.
    Wrong,
    /// Nobody may read it.
    Forbidden,
    /// It is there for a first answer that is cut off, and then gone for good.
    Vanishing,
}

/// The most faults of an object that recovers. A host has more attempts than this.
const MOST_FAULTS: u64 = 4;

/// The faults of a server.
#[derive(Debug)]
pub struct Faults {
    longest_stall: Duration,
    random: Mutex<Random>,
    objects: HashMap<String, Character>,
    /// Faults that were made so far, by object.
    made: Mutex<HashMap<String, u32>>,
}

impl Faults {
    /// Faults of these objects, by their last path segment. The same seed gives the same choices,
    /// in the order of the requests. A stall takes at most `longest_stall`.
    pub fn seeded<'a>(seed: u64, objects: impl IntoIterator<Item = &'a str>, longest_stall: Duration) -> Faults {
        let mut random = Random::seeded(seed);
        let objects = objects
            .into_iter()
            .map(|object| (object.to_owned(), character(&mut random)))
            .collect();
        Faults {
            longest_stall,
            random: Mutex::new(random),
            objects,
            made: Mutex::default(),
        }
    }

    /// How an object is treated.
    pub fn character(&self, object: &str) -> Character {
        self.objects.get(object).copied().unwrap_or(Character::Sound)
    }

    /// The fault of the next answer for an object of this length, if it has one. A HEAD only has
    /// faults without a body.
    pub(super) fn next(&self, object: &str, len_bytes: u64, head_only: bool) -> Option<Fault> {
        let mut made = self.made.lock();
        let made = made.entry(object.to_owned()).or_default();
        let mut random = self.random.lock();
        let fault = match self.character(object) {
            Character::Sound => None,
            Character::Rangeless => (!head_only).then_some(Fault::Whole),
            Character::Forbidden => Some(Fault::Forbidden),
            Character::Wrong => wrong(&mut random, len_bytes, head_only),
            Character::OnceWrong if *made == 0 => wrong(&mut random, len_bytes, head_only),
            Character::Troubled(faults) if *made < faults && random.below(4) > 0 => {
                Some(self.transient(&mut random, len_bytes, head_only))
            }
            Character::Vanishing if *made > 0 => Some(Fault::Gone),
            Character::Vanishing if !head_only => Some(Fault::Reset(random.below(len_bytes + 1))),
            Character::OnceWrong | Character::Troubled(_) | Character::Vanishing => None,
        };
        *made += u32::from(fault.is_some());
        fault
    }

    /// A fault after which another attempt succeeds.
    fn transient(&self, random: &mut Random, len_bytes: u64, head_only: bool) -> Fault {
        let at = random.below(len_bytes + 1);
        let stall = Duration::from_millis(random.below(self.longest_stall.as_millis() as u64 + 1));
        let kinds = if head_only { 2 } else { 10 };
        match random.below(kinds) {
            0 => Fault::Busy([429, 503][random.below(2) as usize], random.below(2) as u32),
            1 => Fault::HangUp,
            2 => Fault::Stall(at, stall),
            3 => Fault::Drip,
            4 => Fault::Short(at),
            5 => Fault::Whole,
            6 => Fault::OtherRange,
            7 => Fault::Unsatisfiable,
            8 => Fault::Reset(0),
            _ => Fault::Reset(at),
        }
    }
}

fn character(random: &mut Random) -> Character {
    match random.below(14) {
        0 | 1 => Character::Sound,
        2 => Character::Rangeless,
        3 => Character::OnceWrong,
        4 => Character::Wrong,
        5 => Character::Vanishing,
        6 => Character::Forbidden,
        _ => Character::Troubled(1 + random.below(MOST_FAULTS) as u32),
    }
}

/// Other bytes than the object has. An object without bytes has no others.
fn wrong(random: &mut Random, len_bytes: u64, head_only: bool) -> Option<Fault> {
    if head_only || len_bytes == 0 {
        return None;
    }
    Some(match random.below(2) {
        0 => Fault::Flip(random.below(len_bytes)),
        _ => Fault::Changed,
    })
}
