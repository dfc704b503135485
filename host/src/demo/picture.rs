//! Pictures painted in code: a sunset over hills, as a JPEG or a PNG of an exact size in bytes.

use super::noise::Noise;

/// A colour: red, green, blue.
type Rgb = [u8; 3];

/// The sunset, by integers alone so that every machine paints the same. `x` and `y` run from 0 to 1023.
fn sunset(x: u32, y: u32, seed: u32) -> Rgb {
    let blend = |from: Rgb, to: Rgb, at: u32, of: u32| -> Rgb {
        let at = at.min(of);
        std::array::from_fn(|i| {
            let mixed = (u32::from(from[i]) * (of - at) + u32::from(to[i]) * at) / of;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        })
    };
    // A parabola for each hill: `width` is half its foot, `height` its top above the ground.
    let hill = |centre: u32, width: u32, height: u32| {
        let away = x.abs_diff(centre).min(width);
        1023 - (height * (width * width - away * away)) / (width * width)
    };
    let shift = seed % 300;
    let near = hill(150 + shift, 420, 240).min(hill(760, 500, 200 + shift / 4));
    let far = hill(420, 560, 380).min(hill(900 - shift, 420, 430));
    if y >= near {
        return blend([30, 44, 40], [12, 18, 20], y - near, 240);
    }
    if y >= far {
        return blend([92, 72, 110], [52, 52, 84], y - far, 380);
    }
    let (dx, dy) = (x.abs_diff(640 - shift), y.abs_diff(430));
    let from_sun = dx * dx + dy * dy;
    if from_sun < 90 * 90 {
        return [255, 236, 170];
    }
    let sky = blend([46, 58, 128], [250, 150, 84], y, 640);
    blend([255, 214, 140], sky, from_sun / 64, 400)
}

/// A baseline JPEG of the sunset, a mosaic of 8×8 pixels. Noise after its end, as cameras append data of their own
/// there, makes it `len_bytes` long; a picture that is longer by itself stays so.
pub(super) fn jpeg(width: u16, height: u16, seed: u32, len_bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len_bytes);
    out.extend([0xff, 0xd8]);
    segment(&mut out, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    // Every coefficient is divided by 8: the DC of a flat block is then its value less 128.
    let mut table = vec![0];
    table.extend([8; 64]);
    segment(&mut out, 0xdb, &table);
    let (h, w) = (height.to_be_bytes(), width.to_be_bytes());
    segment(
        &mut out,
        0xc0,
        &[8, h[0], h[1], w[0], w[1], 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0],
    );
    let mut dc = vec![0x00];
    dc.extend(DC_LENGTHS);
    dc.extend(0..12);
    segment(&mut out, 0xc4, &dc);
    // One code alone for AC: the end of the block.
    let mut ac = vec![0x10, 1];
    ac.extend([0; 15]);
    ac.push(0);
    segment(&mut out, 0xc4, &ac);
    segment(&mut out, 0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
    out.extend(jpeg_scan(width, height, seed));
    out.extend([0xff, 0xd9]);

    let mut trailer = vec![0; len_bytes.saturating_sub(out.len())];
    Noise::new(u64::from(seed)).fill(&mut trailer);
    out.extend(trailer);
    out
}

/// How many DC codes have each length from 1 to 16: the usual table for luminance.
const DC_LENGTHS: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];

fn segment(out: &mut Vec<u8>, marker: u8, payload: &[u8]) {
    let len = u16::try_from(payload.len() + 2).expect("callers write at most 65533 bytes a segment");
    out.extend([0xff, marker]);
    out.extend(len.to_be_bytes());
    out.extend(payload);
}

/// The entropy-coded picture.
fn jpeg_scan(width: u16, height: u16, seed: u32) -> Vec<u8> {
    let (columns, rows) = (u32::from(width).div_ceil(8), u32::from(height).div_ceil(8));
    let mut codes = [(0u32, 0u32); 12];
    let (mut code, mut category) = (0, 0);
    for (length, count) in (1u32..).zip(DC_LENGTHS) {
        for _ in 0..count {
            codes[category] = (code, length);
            code += 1;
            category += 1;
        }
        code <<= 1;
    }
    let mut bits = Bits::default();
    let mut last = [0i32; 3];
    for row in 0..rows {
        for column in 0..columns {
            let colour = sunset(column * 1024 / columns, row * 1024 / rows, seed);
            for (value, last) in ycbcr(colour).into_iter().zip(&mut last) {
                let difference = value - *last;
                *last = value;
                let size = 32 - difference.unsigned_abs().leading_zeros();
                let (code, length) = codes[size as usize];
                bits.put(code, length);
                // A negative difference is written as its ones' complement.
                let amplitude = if difference < 0 {
                    difference + (1 << size) - 1
                } else {
                    difference
                };
                bits.put(amplitude.unsigned_abs(), size);
                bits.put(0, 1);
            }
        }
    }
    bits.finish()
}

/// Luminance and chrominance, each less 128.
fn ycbcr([r, g, b]: Rgb) -> [i32; 3] {
    let (r, g, b) = (i32::from(r), i32::from(g), i32::from(b));
    [
        (299 * r + 587 * g + 114 * b) / 1000 - 128,
        (-169 * r - 331 * g + 500 * b) / 1000,
        (500 * r - 419 * g - 81 * b) / 1000,
    ]
}

/// Bits, the most significant first, with a zero byte after each 0xff.
#[derive(Default)]
struct Bits {
    out: Vec<u8>,
    pending: u64,
    len: u32,
}

impl Bits {
    /// At most 16 bits.
    fn put(&mut self, value: u32, len: u32) {
        self.pending = self.pending << len | u64::from(value);
        self.len += len;
        while self.len >= 8 {
            self.len -= 8;
            let [.., byte] = (self.pending >> self.len).to_be_bytes();
            self.out.push(byte);
            if byte == 0xff {
                self.out.push(0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let missing = (8 - self.len) % 8;
        self.put((1 << missing) - 1, missing);
        self.out
    }
}

/// A PNG of the sunset in 16 colours, with a title and nothing compressed.
pub(super) fn png(width: u32, height: u32, seed: u32, title: &str) -> Vec<u8> {
    let palette: [Rgb; 16] = std::array::from_fn(|i| {
        let y = u32::try_from(i % 8).unwrap_or(0) * 140;
        sunset(if i < 8 { 640 - seed % 300 } else { 120 }, y, seed)
    });
    let nearest = |colour: Rgb| -> u8 {
        let distance = |other: &Rgb| {
            (0..3)
                .map(|i| u32::from(colour[i].abs_diff(other[i])).pow(2))
                .sum::<u32>()
        };
        (0u8..16)
            .min_by_key(|i| distance(&palette[usize::from(*i)]))
            .unwrap_or(0)
    };
    let mut raw = Vec::new();
    for y in 0..height {
        // No filter, then two pixels a byte.
        raw.push(0);
        let pixel = |x: u32| {
            if x < width {
                nearest(sunset(x * 1024 / width, y * 1024 / height, seed))
            } else {
                0
            }
        };
        raw.extend((0..width).step_by(2).map(|x| pixel(x) << 4 | pixel(x + 1)));
    }
    let mut zlib = vec![0x78, 0x01];
    let blocks = raw.chunks(0xffff).count();
    for (number, block) in raw.chunks(0xffff).enumerate() {
        let len = u16::try_from(block.len()).expect("chunks of at most 65535 bytes");
        zlib.push(u8::from(number + 1 == blocks));
        zlib.extend(len.to_le_bytes());
        zlib.extend((!len).to_le_bytes());
        zlib.extend(block);
    }
    zlib.extend(adler32(&raw).to_be_bytes());

    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([4, 3, 0, 0, 0]);
    chunk(&mut out, b"IHDR", &header);
    chunk(&mut out, b"PLTE", palette.as_flattened());
    chunk(&mut out, b"tEXt", format!("Title\0{title}").as_bytes());
    chunk(&mut out, b"IDAT", &zlib);
    chunk(&mut out, b"IEND", b"");
    out
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], payload: &[u8]) {
    let len = u32::try_from(payload.len()).expect("a picture of a few megabytes at most");
    out.extend(len.to_be_bytes());
    let start = out.len();
    out.extend(kind);
    out.extend(payload);
    let sum = crc32(&out[start..]);
    out.extend(sum.to_be_bytes());
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            sum >> 1 ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (a + b) % 65_521)
    });
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_are_those_of_the_standards() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn a_jpeg_has_exactly_the_size_that_was_asked_for() {
        for len in [20_000, 20_001, 85_537] {
            let picture = jpeg(200, 160, 7, len);
            assert_eq!(picture.len(), len);
            assert!(picture.starts_with(&[0xff, 0xd8, 0xff, 0xe0]));
            assert_eq!(
                picture
                    .windows(4)
                    .filter(|bytes| **bytes == [0xff, 0xc0, 0, 17])
                    .count(),
                1
            );
        }
    }

    #[test]
    fn a_marker_cannot_arise_inside_the_coded_picture() {
        let scan = jpeg_scan(640, 480, 3);
        for pair in scan.windows(2).filter(|pair| pair[0] == 0xff) {
            assert_eq!(pair[1], 0);
        }
    }

    #[test]
    fn the_small_png_has_the_documented_size() {
        assert_eq!(png(86, 93, 1, "Xuanxuan").len(), 4246);
    }
}
