//! Sizes: as text, and capped.

/// The cap of a row's size in bytes: 256 TiB. Sums of many such rows still fit into a counter.
const MAX_ROW_SIZE_BYTES: u64 = 1 << 48;

/// The cap of a row's count.
const MAX_ROW_COUNT: i64 = 1 << 48;

/// The size of a row for totals: its own size, at most 256 TiB, 0 if absent.
pub fn capped_size(size: Option<u64>) -> u64 {
    size.unwrap_or(0).min(MAX_ROW_SIZE_BYTES)
}

/// The count of a row for totals: never negative, at most 2^48, 0 if absent.
pub fn capped_count(count: Option<i64>) -> i64 {
    count.unwrap_or(0).clamp(0, MAX_ROW_COUNT)
}

/// A size as text: units of 1024 up to TB, two decimals rounded half up, no trailing zeros
/// (`4.15 KB`).
pub fn size_text(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut hundredths = 0;
    let mut unit = "";
    for (power, name) in (1..).zip(UNITS) {
        let scale = 1u128 << (10 * power);
        hundredths = (u128::from(bytes) * 200 + scale) / (2 * scale);
        unit = name;
        // Compare after rounding: 1023.999 KB is 1 MB, not 1024 KB.
        if hundredths < 1024 * 100 {
            break;
        }
    }
    let (whole, part) = (hundredths / 100, hundredths % 100);
    match (part, part % 10) {
        (0, _) => format!("{whole} {unit}"),
        (_, 0) => format!("{whole}.{} {unit}", part / 10),
        _ => format!("{whole}.{part:02} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_the_reference_writes_them() {
        for (bytes, text) in [
            (0, "0 B"),
            (1, "1 B"),
            (1023, "1023 B"),
            (1024, "1 KB"),
            (1034, "1.01 KB"),
            (1029, "1 KB"),
            (1030, "1.01 KB"),
            (1126, "1.1 KB"),
            (1536, "1.5 KB"),
            (4246, "4.15 KB"),
            (6072, "5.93 KB"),
            (8520, "8.32 KB"),
            (12_542_638, "11.96 MB"),
            (12_548_710, "11.97 MB"),
            (10_724_869_530, "9.99 GB"),
            (10_737_418_240, "10 GB"),
            (1 << 40, "1 TB"),
            (1 << 50, "1024 TB"),
            (u64::MAX, "16777216 TB"),
        ] {
            assert_eq!(size_text(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn rounding_up_to_1024_goes_to_the_next_unit() {
        assert_eq!(size_text((1 << 20) - 6), "1023.99 KB");
        assert_eq!(size_text((1 << 20) - 5), "1 MB");
        assert_eq!(size_text((1 << 20) - 1), "1 MB");
        assert_eq!(size_text((1 << 30) - 1), "1 GB");
        assert_eq!(size_text((1 << 40) - 1), "1 TB");
    }

    #[test]
    fn a_half_is_rounded_up() {
        // 1.005 KB is 1029.12 bytes, so no whole number of bytes is a half there; 0.125 of 1024 is.
        assert_eq!(size_text(1024 + 128), "1.13 KB");
        assert_eq!(size_text(2048 + 640), "2.63 KB");
    }

    #[test]
    fn absurd_numbers_are_capped() {
        assert_eq!(capped_size(None), 0);
        assert_eq!(capped_size(Some(u64::MAX)), 1 << 48);
        assert_eq!(capped_count(Some(-5)), 0);
        assert_eq!(capped_count(Some(i64::MAX)), 1 << 48);
        assert_eq!(capped_count(None), 0);
    }
}
