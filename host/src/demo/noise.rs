//! Bytes that look random and are the same on every machine: SplitMix64 over a counter.

/// A stream of pseudo-random bytes. Not for secrets.
#[derive(Debug, Clone)]
pub(super) struct Noise {
    state: u64,
}

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> [u8; 8] {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31).to_le_bytes()
    }

    /// Fills a piece. The stream is the same however it is cut, as long as every piece but the
    /// last is a multiple of 8 bytes.
    pub(super) fn fill(&mut self, piece: &mut [u8]) {
        for part in piece.chunks_mut(8) {
            part.copy_from_slice(&self.next()[..part.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_splitmix64() {
        // The first value of the reference implementation with seed 1234567.
        assert_eq!(
            u64::from_le_bytes(Noise::new(1_234_567).next()),
            6_457_827_717_110_365_317
        );
    }

    #[test]
    fn pieces_make_the_same_stream_as_the_whole() {
        let (mut whole, mut pieces) = ([0; 61], [0; 61]);
        Noise::new(1).fill(&mut whole);
        let mut noise = Noise::new(1);
        noise.fill(&mut pieces[..24]);
        noise.fill(&mut pieces[24..]);
        assert_eq!(whole, pieces);
    }
}
