#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stowage_logic::fuzz::json_bridge(data));
