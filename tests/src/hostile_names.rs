//! Names and paths that lead out of a directory, to a device, or to another name than is shown.

use std::collections::BTreeSet;

/// Names of files, more than 300. None comes twice.
pub fn names() -> Vec<String> {
    let mut names = BTreeSet::new();
    names.extend(devices());
    names.extend(paths());
    names.extend(ends_and_streams());
    names.extend(characters());
    names.extend(lengths());
    names.into_iter().collect()
}

/// Devices of Windows, with what still names them.
fn devices() -> Vec<String> {
    let mut devices: Vec<String> = ["CON", "prn", "Aux", "NUL", "CONIN$", "conout$", "CLOCK$"]
        .map(str::to_owned)
        .into();
    for port in ["COM", "lpt"] {
        devices.extend(["0", "1", "9", "¹", "²", "³"].map(|number| format!("{port}{number}")));
    }
    let ends = ["", ".txt", ".tar.gz", " .txt", ":", "::$DATA"];
    let end = |device: &String| ends.map(|end| format!("{device}{end}"));
    devices.iter().flat_map(end).collect()
}

/// Ways up, ways down, and absolute paths.
fn paths() -> Vec<String> {
    let mut paths = Vec::new();
    for up in [
        "../",
        "..\\",
        "../../../../../../../../",
        "..\\..\\..\\..\\",
        "....//",
        "..;/",
        "..%2f",
        "%2e%2e%2f",
        "%252e%252e%252f",
        "..%c0%af",
        "..%5c",
        "．．／",
        "‥/",
        "./../",
        "a/../../",
        "/",
        "//",
        "///",
        "\\",
        "\\\\",
        "\\\\?\\C:\\",
        "\\\\.\\",
        "\\\\server\\share\\",
        "C:\\",
        "c:/",
        "C:",
        "file:///",
        "~/",
        "~root/",
        "$HOME/",
    ] {
        paths.extend(["canary", "etc/passwd", ".ssh/authorized_keys"].map(|file| format!("{up}{file}")));
    }
    paths.extend(
        [
            "..", ".", "../", "./", "...", "/", "\\", "//", "a/", "a\\", ".. ", "..\0", "../\0",
        ]
        .map(str::to_owned),
    );
    paths
}

/// Ends that a file system drops, and streams of a file.
fn ends_and_streams() -> Vec<String> {
    let ends = [
        "a.txt.",
        "a.txt..",
        "a.txt ",
        "a.txt . .",
        " a.txt",
        "a.txt\t",
        "a.txt\u{a0}",
        "a.txt:stream",
        "a.txt::$DATA",
        "a:b:c",
        "a.txt:..\\x",
        ".hidden",
        "..hidden",
        "-rf",
        "--help",
        "-",
        "@file",
        "|sh",
        "a;b",
        "$(id)",
        "`id`",
        "a&b",
        "a'b",
        "a\"b",
        "a<b>c",
        "a*b?c",
        "*",
        "?",
        "%00.txt",
        "%s%n",
        "{}",
        "a\u{2044}b",
        "a\u{2215}b",
        "a\u{ff0f}b",
        ".git",
        ".htaccess",
        "desktop.ini",
        "autorun.inf",
        "stowage.db",
        "stowage.wal",
        "admin.token",
        "LONGNA~1.TXT",
        ".stowage-part",
        "a.stowage-part",
        "lost+found",
        "con/aux",
        "nul/x",
        "a (1).txt",
    ];
    ends.map(str::to_owned).into()
}

/// Characters that end a text, turn it around, or are not seen.
fn characters() -> Vec<String> {
    let mut characters: Vec<char> = ('\0'..' ').collect();
    characters.extend('\u{7f}'..='\u{9f}');
    characters.extend('\u{200b}'..='\u{200f}');
    characters.extend('\u{2028}'..='\u{202e}');
    characters.extend('\u{2066}'..='\u{2069}');
    characters.extend([
        '\u{ad}',
        '\u{61c}',
        '\u{feff}',
        '\u{fffd}',
        '\u{fffe}',
        '\u{10ffff}',
        '\u{e0001}',
        '\u{300}',
    ]);
    let mut names: Vec<_> = characters.iter().map(|c| format!("a{c}gpj.exe")).collect();
    names.extend(["\0", "\n", "\r\n", "\t", " ", "\u{202e}", "\u{200b}", "\u{300}"].map(str::to_owned));
    names.extend(
        [
            "é.txt",
            "e\u{301}.txt",
            "İ.txt",
            "ſ.txt",
            "ß.txt",
            "我的收藏.zip",
            "😀😀.bin",
            "A.TXT",
            "a.txt",
        ]
        .map(str::to_owned),
    );
    names
}

/// Names at the limits of file systems, and beyond.
fn lengths() -> Vec<String> {
    let mut names = Vec::new();
    for len in [254, 255, 256, 1000, 4096] {
        names.push("n".repeat(len));
        names.push(format!("{}.txt", "n".repeat(len)));
        names.push(format!("n.{}", "x".repeat(len)));
    }
    for text in ["图", "😀", "e\u{301}", ". ", "../"] {
        names.push(text.repeat(100));
        names.push(format!("{}.jpeg", text.repeat(100)));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_more_than_300_names() {
        assert!(names().len() > 300, "{}", names().len());
    }
}
