//! Sizes as people write and read them: 1024-based units B, KB, MB, GB, TB.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];

/// A number of bytes.
///
/// Shown as in the API: two decimals, rounded half up, without trailing zeros (`4.15 KB`, `10 GB`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Why a text is not a size.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SizeError {
    /// There is no number, or no unit after it.
    #[error("`{0}` is not a size; write a number and B, KB, MB, GB or TB (of 1024), for example 10GB or 1.5TB")]
    Malformed(String),
    /// It is more than 2^63 - 1 bytes, the largest size of a space.
    #[error("`{0}` is more than a space can hold (8388607 TB)")]
    TooLarge(String),
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = u128::from(self.0);
        let mut unit = 0;
        while unit + 1 < UNITS.len() && bytes >= 1 << (10 * (unit + 1)) {
            unit += 1;
        }
        let hundredths = |unit: usize| {
            let divisor = 1u128 << (10 * unit);
            (bytes * 100 + divisor / 2) / divisor
        };
        let mut value = hundredths(unit);
        // 1048575 bytes round to 1024 KB, which is written 1 MB.
        if value >= 102_400 && unit + 1 < UNITS.len() {
            unit += 1;
            value = hundredths(unit);
        }
        let (whole, fraction) = (value / 100, value % 100);
        let text = match (fraction, fraction % 10) {
            (0, _) => format!("{whole} {}", UNITS[unit]),
            (_, 0) => format!("{whole}.{} {}", fraction / 10, UNITS[unit]),
            _ => format!("{whole}.{fraction:02} {}", UNITS[unit]),
        };
        f.pad(&text)
    }
}

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let malformed = || SizeError::Malformed(text.to_owned());
        let trimmed = text.trim();
        let digits = trimmed
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let power = match unit.trim().to_ascii_uppercase().as_str() {
            "" | "B" => 0,
            "K" | "KB" | "KIB" => 1,
            "M" | "MB" | "MIB" => 2,
            "G" | "GB" | "GIB" => 3,
            "T" | "TB" | "TIB" => 4,
            _ => return Err(malformed()),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        // Nine decimals of a gigabyte are finer than a byte, and the arithmetic cannot overflow.
        if whole.is_empty() || fraction.len() > 9 || fraction.contains('.') {
            return Err(malformed());
        }
        let too_large = || SizeError::TooLarge(text.to_owned());
        let scale = 10u128.pow(u32::try_from(fraction.len()).map_err(|_| malformed())?);
        let whole: u64 = whole.parse().map_err(|_| too_large())?;
        let fraction: u128 = if fraction.is_empty() {
            0
        } else {
            fraction.parse().map_err(|_| malformed())?
        };
        let unit_bytes = 1u128 << (10 * power);
        let bytes = u128::from(whole) * unit_bytes + fraction * unit_bytes / scale;
        if bytes > i64::MAX as u128 {
            return Err(too_large());
        }
        u64::try_from(bytes).map(ByteSize).map_err(|_| too_large())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> u64 {
        text.parse::<ByteSize>().expect("a size").0
    }

    #[test]
    fn sizes_are_read_with_and_without_units_and_decimals() {
        assert_eq!(parsed("0"), 0);
        assert_eq!(parsed("512"), 512);
        assert_eq!(parsed("10GB"), 10 << 30);
        assert_eq!(parsed(" 10 gb "), 10 << 30);
        assert_eq!(parsed("1.5TB"), 3 << 39);
        assert_eq!(parsed("64MiB"), 64 << 20);
        assert_eq!(parsed("0.1KB"), 102);
    }

    #[test]
    fn what_is_not_a_size_is_refused() {
        for text in ["", "GB", "ten", "1.2.3GB", "-1GB", "1 PB", ".5GB", "10GBs"] {
            assert_eq!(
                text.parse::<ByteSize>(),
                Err(SizeError::Malformed(text.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn more_than_a_signed_64_bit_number_of_bytes_is_refused() {
        for text in ["8388608TB", "99999999999999999999", "9223372036854775808"] {
            assert_eq!(
                text.parse::<ByteSize>(),
                Err(SizeError::TooLarge(text.to_owned())),
                "{text}"
            );
        }
        assert_eq!(parsed("9223372036854775807"), i64::MAX as u64);
    }

    #[test]
    fn sizes_are_written_as_the_api_does() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KB"),
            (4246, "4.15 KB"),
            (12_542_638, "11.96 MB"),
            (10 << 30, "10 GB"),
            (1536, "1.5 KB"),
            (1_048_575, "1 MB"),
            (u64::MAX, "16777216 TB"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }
}
