//! The WIT text inside a module. A reference of the API can be made from the module itself.

/// The bytes of a text of length `N`. Used by [`embed_wit!`](crate::embed_wit).
pub const fn text_bytes<const N: usize>(text: &str) -> [u8; N] {
    match text.as_bytes().first_chunk::<N>() {
        Some(bytes) => *bytes,
        None => panic!("N is the length of the text"),
    }
}

/// Embeds the named files of `wit/deps` as the custom section `stowage:wit` of the module.
///
/// Stripping and link-time optimisation keep the section. Native builds embed nothing.
#[macro_export]
macro_rules! embed_wit {
    ($($file:literal),+ $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        const WIT_TEXT: &str =
            concat!($(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/deps/", $file)), "\n"),+);

        // SAFETY: a custom section of plain bytes is never loaded into memory, so it overlaps
        // nothing.
        #[cfg(target_arch = "wasm32")]
        #[unsafe(link_section = "stowage:wit")]
        #[used]
        static WIT_SECTION: [u8; WIT_TEXT.len()] = $crate::text_bytes(WIT_TEXT);
    };
}
