//! A voice note made in code: a little tune as a WAV file.

/// Samples a second.
const RATE: u32 = 8000;

/// The tune: pitches in Hz, each for a third of a second.
const TUNE: [u32; 14] = [262, 262, 392, 392, 440, 440, 392, 349, 349, 330, 330, 294, 294, 262];

/// Mono, 16 bits, 8 kHz: 44 bytes of header and 2 bytes a sample.
pub(super) fn wav(samples: u32) -> Vec<u8> {
    let len_bytes = samples * 2;
    let mut out = Vec::new();
    out.extend(b"RIFF");
    out.extend((36 + len_bytes).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16u32.to_le_bytes());
    out.extend(1u16.to_le_bytes());
    out.extend(1u16.to_le_bytes());
    out.extend(RATE.to_le_bytes());
    out.extend((RATE * 2).to_le_bytes());
    out.extend(2u16.to_le_bytes());
    out.extend(16u16.to_le_bytes());
    out.extend(b"data");
    out.extend(len_bytes.to_le_bytes());
    let note_len = RATE / 3;
    for sample in 0..samples {
        let note = (sample / note_len) as usize % TUNE.len();
        let at = sample % note_len;
        // A triangle wave between -4000 and 4000 that fades out over its note.
        let phase = i64::from(at * TUNE[note] % RATE * 16_000 / RATE);
        let wave = (phase - 8000).abs() - 4000;
        let faded = wave * i64::from(note_len - at) / i64::from(note_len);
        out.extend(i16::try_from(faded).unwrap_or(0).to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_tells_the_true_length() {
        let sound = wav(81_000);
        assert_eq!(sound.len(), 162_044);
        assert_eq!(sound[4..8], 162_036u32.to_le_bytes());
        assert_eq!(sound[40..44], 162_000u32.to_le_bytes());
        assert!(sound[44..].iter().any(|byte| *byte != 0));
    }
}
