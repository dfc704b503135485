#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stowage_logic::fuzz::module_bytes(data));
