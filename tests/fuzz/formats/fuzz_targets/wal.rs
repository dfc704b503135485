#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stowage_storage::fuzz::wal(data));
