//! `stowage:host/progress`: subscriptions to the feed.

use crate::api::effect::{Effect, Request};
use crate::api::error::Refusal;
use crate::bindings::stowage::host::progress as wit;
use crate::engine::state::State;

/// Characters of a key.
const KEY_CHARS: std::ops::RangeInclusive<usize> = 1..=128;

impl wit::Host for State {
    fn subscribe(&mut self, key: String, filter: wit::Filter) -> wasmtime::Result<()> {
        let _span = self.host_span("progress.subscribe");
        let call = self.host_call(key.len())?;
        if !KEY_CHARS.contains(&key.chars().count()) {
            return Err(call.refuse(Refusal::FeedKey));
        }
        call.count_effect()?;
        call.note(|| Request::Subscribe {
            key: key.clone(),
            filter,
        });
        call.effects.push(Effect::Subscribe { key, filter });
        Ok(())
    }
}
