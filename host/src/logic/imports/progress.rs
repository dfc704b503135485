//! `stowage:host/progress`: subscriptions to the feed.

use stowage_transfer::Filter;

use crate::logic::bindings::stowage::host::progress as wit;
use crate::logic::effect::Effect;
use crate::logic::imports::transfer::direction;
use crate::logic::instance::State;

/// Characters of a key.
const KEY_CHARS: std::ops::RangeInclusive<usize> = 1..=128;

impl wit::Host for State {
    fn subscribe(&mut self, key: String, filter: wit::Filter) -> wasmtime::Result<()> {
        let call = self.call(key.len())?;
        if !KEY_CHARS.contains(&key.chars().count()) {
            return Err(call.refuse("a feed key has 1 to 128 characters"));
        }
        call.effect()?;
        call.effects.push(Effect::Subscribe {
            key,
            filter: Filter {
                direction: direction(filter.direction),
                platform: filter.platform,
                status: filter.status,
            },
        });
        Ok(())
    }
}
