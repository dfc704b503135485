//! The WIT text inside a module. A reference of the API can be made from the module itself.

/// The bytes of a text of length `N`. Used by [`embed_wit!`](crate::embed_wit).
pub const fn text_bytes<const N: usize>(text: &str) -> [u8; N] {
    match text.as_bytes().first_chunk::<N>() {
        Some(bytes) => *bytes,
        None => panic!("N is the length of the text"),
    }
}

/// Embeds WIT files as the custom section `stowage:wit` of the module. Descriptions of the API and
/// messages about numbers take their words from there.
///
/// The files are those of `wit/deps` in Stowage's repository. A module elsewhere names the
/// directory of its crate that has them: `embed_wit!(in "wit"; "world.wit")`. Name the files of all
/// interfaces that are exported, and of those whose types they use.
///
/// Stripping and link-time optimisation keep the section. Native builds embed nothing.
#[macro_export]
macro_rules! embed_wit {
    (in $directory:literal; $($file:literal),+ $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        const WIT_TEXT: &str =
            concat!($(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $directory, "/", $file)), "\n"),+);

        // SAFETY: a custom section of plain bytes is never loaded into memory, so it overlaps
        // nothing.
        #[cfg(target_arch = "wasm32")]
        #[unsafe(link_section = "stowage:wit")]
        #[used]
        static WIT_SECTION: [u8; WIT_TEXT.len()] = $crate::text_bytes(WIT_TEXT);
    };
    ($($file:literal),+ $(,)?) => {
        $crate::embed_wit!(in "../../wit/deps"; $($file),+);
    };
}
