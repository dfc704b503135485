//! Subscriptions to the progress feed.

use stowage_sdk::bindings::progress::Filter;
use stowage_sdk::bindings::transfer::Direction;
use stowage_sdk::{Context, Error};

/// The longest key of a subscription, in characters.
const MAX_KEY_CHARS: usize = 128;

/// Subscribes a key to the tasks of a direction (0 upload, 1 download) and a platform. With
/// `status`, only tasks with this status.
///
/// # Errors
/// 600 naming the parameter that is out of range.
pub fn follow(ctx: &dyn Context, direction: u32, platform: u32, status: Option<i32>, key: &str) -> Result<(), Error> {
    let direction = match direction {
        0 => Direction::Upload,
        1 => Direction::Download,
        _ => {
            return Err(Error::parameter(
                "type",
                "a whole number from 0 to 1 (0 upload, 1 download)",
            ));
        }
    };
    let platform = crate::platform(platform)?;
    if status.is_some_and(|status| !(-1..=5).contains(&status)) {
        return Err(Error::parameter("status", "a whole number from -1 to 5"));
    }
    if key.is_empty() || key.chars().nth(MAX_KEY_CHARS).is_some() {
        return Err(Error::parameter("key", "a text of 1 to 128 characters"));
    }
    ctx.subscribe(
        key,
        Filter {
            direction,
            platform,
            status,
        },
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use stowage_sdk::{Effect, MemoryContext};

    use super::*;

    fn refused(direction: u32, platform: u32, status: Option<i32>, key: &str) -> String {
        let ctx = MemoryContext::new();
        let error = follow(&ctx, direction, platform, status, key).expect_err("refused");
        assert_eq!(error.code, 600);
        assert!(ctx.take_effects().is_empty());
        error.message.split(':').next().unwrap_or_default().to_owned()
    }

    #[test]
    fn every_direction_platform_and_status_can_be_followed() {
        let ctx = MemoryContext::new();
        for direction in 0..=1 {
            for platform in 0..=4 {
                for status in (-1..=5).map(Some).chain([None]) {
                    assert_eq!(follow(&ctx, direction, platform, status, "k"), Ok(()));
                }
            }
        }
        let effects = ctx.take_effects();
        assert_eq!(effects.len(), 2 * 5 * 8);
        let filter = Filter {
            direction: Direction::Upload,
            platform: 0,
            status: Some(-1),
        };
        assert_eq!(
            effects[0],
            Effect::Subscribe {
                key: "k".to_owned(),
                filter
            }
        );
    }

    #[test]
    fn a_parameter_out_of_range_is_named() {
        assert_eq!(refused(2, 0, None, "k"), "type");
        assert_eq!(refused(0, 5, None, "k"), "platform");
        assert_eq!(refused(0, 256, None, "k"), "platform");
        assert_eq!(refused(0, 0, Some(-2), "k"), "status");
        assert_eq!(refused(1, 0, Some(6), "k"), "status");
        assert_eq!(refused(0, 0, None, ""), "key");
        assert_eq!(refused(0, 0, None, &"钥".repeat(129)), "key");
    }

    #[test]
    fn a_key_is_counted_in_characters() {
        assert_eq!(follow(&MemoryContext::new(), 0, 3, None, &"钥".repeat(128)), Ok(()));
    }
}
