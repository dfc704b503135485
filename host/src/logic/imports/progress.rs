//! `stowage:host/progress`: subscriptions to the feed.

use stowage_transfer::Filter;

use crate::logic::bindings::stowage::host::progress as wit;
use crate::logic::effect::Effect;
use crate::logic::imports::transfer::direction;
use crate::logic::instance::State;

/// Bytes of a key; the contract's 128 characters are at most four bytes each.
const KEY_BYTES: usize = 512;

impl wit::Host for State {
    fn subscribe(&mut self, key: String, filter: wit::Filter) -> wasmtime::Result<()> {
        let call = self.call(key.len())?;
        if key.is_empty() || key.len() > KEY_BYTES {
            return Err(call.refuse("a feed key is empty or longer than 512 bytes"));
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
