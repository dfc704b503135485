//! The deployer's rows as bytes: MessagePack maps with field names.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::DeployError;

pub(crate) fn encode(row: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(row).expect("the rows hold only what MessagePack can express")
}

/// # Errors
/// When the bytes are no such row: a newer program wrote them, or they are damaged. `row` names the
/// row in the error.
pub(crate) fn decode<T: DeserializeOwned>(row: &'static str, bytes: &[u8]) -> Result<T, DeployError> {
    rmp_serde::from_slice(bytes).map_err(|source| DeployError::Row { row, source })
}
