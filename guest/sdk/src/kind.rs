//! Kinds of rows, for the filters of lists.

use crate::bindings::types::Error;
use crate::message::Message;

/// The kind of a row. The numbers are those of the API and of the index keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// An image or a video.
    Media = 1,
    /// Any other file.
    File = 2,
    /// A text message.
    Text = 3,
    /// A voice message.
    Voice = 4,
}

const MEDIA: &[&str] = &[
    "jpg", "jpeg", "jfif", "png", "gif", "bmp", "webp", "heic", "heif", "avif", "tif", "tiff", "svg", "ico", "mp4",
    "m4v", "mov", "avi", "mkv", "webm", "wmv", "flv", "3gp", "3gpp", "mpg", "mpeg", "rmvb", "ts",
];
const VOICE: &[&str] = &[
    "amr", "silk", "mp3", "wav", "m4a", "aac", "ogg", "oga", "opus", "flac", "wma", "caf", "aif", "aiff",
];

impl Kind {
    /// The kind of a row: from the message, otherwise from the extension of `name`, otherwise from
    /// `ext`, otherwise a file.
    pub fn of(content: &str, name: &str, ext: &str) -> Self {
        let by_name = || Self::of_extension(extension(name).unwrap_or_else(|| ext.trim_start_matches('.')));
        Message::parse(content).kind.unwrap_or_else(by_name)
    }

    fn of_extension(ext: &str) -> Self {
        let is = |known: &&str| ext.eq_ignore_ascii_case(known);
        if MEDIA.iter().any(is) {
            Self::Media
        } else if VOICE.iter().any(is) {
            Self::Voice
        } else {
            Self::File
        }
    }

    /// The kind for a value of the parameter `type`; 0 is all.
    ///
    /// # Errors
    /// 600 above 4.
    pub fn filter(kind: u32) -> Result<Option<Self>, Error> {
        match kind {
            0 => Ok(None),
            1 => Ok(Some(Self::Media)),
            2 => Ok(Some(Self::File)),
            3 => Ok(Some(Self::Text)),
            4 => Ok(Some(Self::Voice)),
            _ => Err(Error::parameter(
                "type",
                "a whole number from 0 to 4 (0 all, 1 image or video, 2 file, 3 text, 4 voice)",
            )),
        }
    }
}

/// The extension of a file name with its dot, with ASCII letters in lower case, or empty.
pub fn dotted_extension(name: &str) -> String {
    extension(name)
        .map(|ext| format!(".{}", ext.to_ascii_lowercase()))
        .unwrap_or_default()
}

/// The extension of a file name without its dot. A dot at the start or end is not an extension.
fn extension(name: &str) -> Option<&str> {
    name.rsplit_once('.')
        .filter(|(stem, ext)| !stem.is_empty() && !ext.is_empty())
        .map(|(_, ext)| ext)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_comes_from_the_message_then_from_the_name() {
        assert_eq!(Kind::of(r#"{"text":"a"}"#, "a.jpg", ""), Kind::Text);
        assert_eq!(Kind::of("", "照片.JPG", ""), Kind::Media);
        assert_eq!(Kind::of("{}", "clip.mp4", ""), Kind::Media);
        assert_eq!(Kind::of("", "hello.amr", ""), Kind::Voice);
        assert_eq!(Kind::of("", "notes.txt", ""), Kind::File);
        assert_eq!(Kind::of("", ".jpg", ""), Kind::File);
        assert_eq!(Kind::of("", "", ""), Kind::File);
        assert_eq!(Kind::of("", "IMG_1", ".jpg"), Kind::Media);
        assert_eq!(Kind::of("", "a.txt", ".jpg"), Kind::File);
    }

    #[test]
    fn a_filter_above_four_is_refused() {
        assert_eq!(Kind::filter(0), Ok(None));
        for kind in 1..=4 {
            assert_eq!(
                Kind::filter(kind).map(|kind| kind.map(|kind| kind as u32)),
                Ok(Some(kind))
            );
        }
        assert_eq!(Kind::filter(5).map_err(|error| error.code), Err(600));
    }
}
