//! File names that are safe on every file system.

use sha2::{Digest, Sha256};

/// The longest file name in bytes.
const MOST_BYTES: usize = 255;

/// The longest extension that is kept when a name is cut, in bytes.
const EXTENSION_BYTES: usize = 32;

/// Bytes reserved for additions to a name: ` (N)`, or the prefix and suffix of a temporary file.
const ADDITION_BYTES: usize = 48;

/// Names that Windows reserves for devices, with any extension.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Makes a name from outside safe. Keeps its last component without control characters. Replaces
/// characters that Windows refuses. Avoids device names, and dots or spaces at the end. Cuts it to
/// 255 bytes, with its extension. Returns `fallback` if nothing is left.
pub(crate) fn safe(name: &str, fallback: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let cleaned: String = last
        .chars()
        .filter(|c| !c.is_control() && !reorders_text(*c))
        .map(|c| if "<>:\"|?*".contains(c) { '_' } else { c })
        .collect();
    let trimmed = cleaned.trim().trim_end_matches(is_lost_at_the_end);
    let name = fit(if trimmed.is_empty() { fallback } else { trimmed }, MOST_BYTES);
    // A name may become that of a device when it is cut.
    match is_device(&name) {
        true => fit(&format!("_{name}"), MOST_BYTES),
        false => name,
    }
}

/// The name with ` (number)` before its extension. With 0, the name itself.
pub(crate) fn numbered(name: &str, number: u32) -> String {
    if number == 0 {
        return name.to_owned();
    }
    let fitting = fit(name, MOST_BYTES - ADDITION_BYTES);
    let (stem, extension) = split(&fitting);
    format!("{stem} ({number}){extension}")
}

/// The name of the temporary file of a task. It is hidden, and differs from that of every other
/// task.
pub(crate) fn temporary(name: &str, task_id: &str, suffix: &str) -> String {
    let digest = Sha256::digest(task_id.as_bytes());
    let tag: String = digest[..8].iter().map(|b| format!("{b:02x}")).collect();
    format!(".{}.{tag}.{suffix}", fit(name, MOST_BYTES - ADDITION_BYTES))
}

/// Characters that change the direction of text. They can hide the extension of a name.
fn reorders_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Windows drops dots and spaces at the end of a name. Other blanks are hard to see there.
fn is_lost_at_the_end(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_lowercase();
    let number = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    DEVICES.contains(&stem.as_str())
        || number.is_some_and(|number| number.chars().count() == 1 && "0123456789¹²³".contains(number))
}

/// Splits a name before its extension. A leading dot begins no extension.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 && name.len() - at <= EXTENSION_BYTES => name.split_at(at),
        _ => (name, ""),
    }
}

/// Cuts a name to this many bytes. It is never empty.
fn fit(name: &str, most: usize) -> String {
    if name.len() <= most {
        return name.to_owned();
    }
    let (stem, extension) = split(name);
    let end = stem.floor_char_boundary(most - extension.len());
    let fitting = format!("{}{extension}", stem[..end].trim_end_matches(is_lost_at_the_end));
    match fitting.is_empty() {
        true => "_".to_owned(),
        false => fitting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_lose_what_is_dangerous() {
        for (given, safe_name) in [
            ("photo.jpg", "photo.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\system32\\cmd.exe", "cmd.exe"),
            ("/", "H"),
            ("", "H"),
            (".", "H"),
            ("..", "H"),
            (" ... ", "H"),
            ("a\0b\nc.txt", "abc.txt"),
            ("name. . .", "name"),
            // A fuzzer found that the blank before the dot stayed.
            ("name\u{2000} .", "name"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("Com1.tar.gz", "_Com1.tar.gz"),
            ("LPT9", "_LPT9"),
            ("console.log", "console.log"),
            ("com10", "com10"),
            ("a:b?c*.png", "a_b_c_.png"),
            ("evil\u{202e}gpj.exe", "evilgpj.exe"),
            ("我的收藏.zip", "我的收藏.zip"),
        ] {
            assert_eq!(safe(given, "H"), safe_name, "{given:?}");
        }
    }

    #[test]
    fn long_names_are_cut_and_keep_their_extension() {
        let name = safe(&format!("{}.jpeg", "图".repeat(200)), "H");
        assert!(name.len() <= 255 && name.ends_with("图.jpeg"), "{name}");
        let name = safe(&format!("a.{}", "x".repeat(400)), "H");
        assert_eq!(name.len(), 255);
        for number in [1, 9999, u32::MAX] {
            let numbered = numbered(&safe(&format!("{}.jpg", "y".repeat(400)), "H"), number);
            assert!(numbered.len() <= 255 && numbered.ends_with(&format!(" ({number}).jpg")));
        }
        assert!(temporary(&name, "task", "stowage-part").len() <= 255);
    }

    /// A fuzzer found names that had nothing left, or were a device, after they were cut.
    #[test]
    fn a_cut_name_is_a_name_and_no_device() {
        let spaces = " ".repeat(300);
        assert_eq!(safe(&format!(".{spaces}{{"), "H"), "_");
        assert_eq!(safe(&format!("NUL{spaces}x"), "H"), "_NUL");
        let device = safe(&format!("con.{}", "x".repeat(400)), "H");
        assert!(device.starts_with("_con.") && device.len() == 255, "{device}");
        assert_eq!(numbered(&format!(".{}{{", " ".repeat(250)), 1), "_ (1)");
    }

    #[test]
    fn numbers_go_before_the_extension() {
        assert_eq!(numbered("a.tar.gz", 1), "a.tar (1).gz");
        assert_eq!(numbered("README", 2), "README (2)");
        assert_eq!(numbered(".profile", 1), ".profile (1)");
        assert_eq!(numbered("a.txt", 0), "a.txt");
    }
}
