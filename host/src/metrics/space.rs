//! The cloud space, the transfers and the backups.

use std::fmt;

use prometheus_client::registry::Unit;
use stowage_cloud::Health;

use super::backups::Backups;
use super::families::Families;
use crate::services::Services;

pub(super) fn encode(
    families: &mut Families<'_>,
    services: &Services,
    outbox: Option<u64>,
    backups: &Backups,
) -> fmt::Result {
    let is_reachable = services.cloud.health() == Health::Reachable;
    families.gauge(
        "stowage_space_reachable",
        None,
        "1 if the cloud space answered the last request",
        [([], u64::from(is_reachable))],
    )?;
    families.gauge(
        "stowage_outbox_changes",
        None,
        "Changes that wait for their way into the space; at most 10000 are counted",
        outbox.map(|changes| ([], changes)),
    )?;
    let transfers = services.transfers.counts();
    let tasks = transfers.tasks.iter().map(|(direction, state, count)| {
        let labels = [("direction", direction.name()), ("state", *state)];
        (labels, *count)
    });
    families.gauge("stowage_tasks", None, "Transfers that are known, by state", tasks)?;
    families.counter(
        "stowage_transferred",
        Some(&Unit::Bytes),
        "Bytes that transfers moved",
        transfers
            .bytes
            .iter()
            .map(|(direction, bytes)| ([("direction", direction.name())], *bytes)),
    )?;
    families.gauge(
        "stowage_backup_last_success_timestamp",
        Some(&Unit::Seconds),
        "When the last scheduled backup was complete, in seconds since 1970; absent if there was none",
        backups.last_success().map(|at| ([], at)),
    )?;
    families.counter(
        "stowage_backups",
        None,
        "Scheduled backups, by their end",
        backups.counts().map(|(result, count)| ([("result", result)], count)),
    )
}
