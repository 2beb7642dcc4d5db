// mandelbrot: draws the Mandelbrot set as a PNG image on stdout, or as text with --ascii.
// Example: mandelbrot 640 480 > set.png
// Example: mandelbrot --ascii 78 24

use std::io::{self, Write};

const MAX_ROUNDS: u32 = 255;
const MAX_SIDE: usize = 4096;
const SHADES: &[u8] = b" .:-=+*#%@";

struct Options {
    ascii: bool,
    width: usize,
    height: usize,
}

fn main() {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("mandelbrot: {message}; usage: mandelbrot [--ascii] [WIDTH HEIGHT]");
            std::process::exit(2);
        }
    };
    let picture = if options.ascii {
        // A character is about twice as high as it is wide.
        text(&rounds(options.width, options.height, 2.0), options.width)
    } else {
        png(&rounds(options.width, options.height, 1.0), options.width, options.height)
    };
    if let Err(error) = io::stdout().lock().write_all(&picture) {
        eprintln!("mandelbrot: {error}");
        std::process::exit(1);
    }
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut ascii = false;
    let mut sides = Vec::new();
    for argument in arguments {
        if argument == "--ascii" {
            ascii = true;
            continue;
        }
        match argument.parse::<usize>() {
            Ok(side) if (1..=MAX_SIDE).contains(&side) => sides.push(side),
            _ => return Err(format!("`{argument}` is not a number from 1 to {MAX_SIDE}")),
        }
    }
    match (sides.as_slice(), ascii) {
        ([], true) => Ok(Options { ascii, width: 78, height: 24 }),
        ([], false) => Ok(Options { ascii, width: 640, height: 480 }),
        ([width, height], _) => Ok(Options { ascii, width: *width, height: *height }),
        _ => Err("expected a width and a height".to_owned()),
    }
}

/// Counts, for each point of the picture row by row, the rounds of z = z² + c until |z| > 2, up to `MAX_ROUNDS`.
fn rounds(width: usize, height: usize, stretch: f64) -> Vec<u8> {
    // The set lies in -2.2..0.8 by -1.2..1.2; the scale is the larger that shows all of it.
    let scale = (3.0 / width as f64).max(2.4 / (height as f64 * stretch));
    let mut counts = Vec::with_capacity(width * height);
    for row in 0..height {
        let ci = (row as f64 + 0.5 - height as f64 / 2.0) * scale * stretch;
        for column in 0..width {
            let cr = (column as f64 + 0.5 - width as f64 / 2.0) * scale - 0.7;
            counts.push(escape(cr, ci));
        }
    }
    counts
}

fn escape(cr: f64, ci: f64) -> u8 {
    let (mut zr, mut zi) = (0.0, 0.0);
    for round in 0..MAX_ROUNDS {
        let (squared_r, squared_i) = (zr * zr, zi * zi);
        if squared_r + squared_i > 4.0 {
            return round as u8;
        }
        zi = 2.0 * zr * zi + ci;
        zr = squared_r - squared_i + cr;
    }
    MAX_ROUNDS as u8
}

fn text(counts: &[u8], width: usize) -> Vec<u8> {
    let mut picture = Vec::new();
    for row in counts.chunks(width) {
        for &count in row {
            // Few points outside the set take more than a tenth of the rounds, so the shades rise slowly at the end.
            let shade = match count {
                255 => SHADES.len() - 1,
                count => (usize::from(count) / 3).min(SHADES.len() - 2),
            };
            picture.push(SHADES[shade]);
        }
        picture.push(b'\n');
    }
    picture
}

/// Packs one byte a point and a palette of 256 colours into a PNG file (W3C PNG specification, third edition).
fn png(counts: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend((width as u32).to_be_bytes());
    header.extend((height as u32).to_be_bytes());
    // 8 bits a point, indexed colour, the only compression and filter methods there are, not interlaced
    header.extend([8, 3, 0, 0, 0]);

    let palette: Vec<u8> = (0..=255).flat_map(colour).collect();
    let mut rows = Vec::with_capacity((width + 1) * height);
    for row in counts.chunks(width) {
        rows.push(0); // filter type "none"
        rows.extend(row);
    }

    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut file, b"IHDR", &header);
    chunk(&mut file, b"PLTE", &palette);
    chunk(&mut file, b"IDAT", &zlib_stored(&rows));
    chunk(&mut file, b"IEND", &[]);
    file
}

/// Maps a count to a colour: black inside the set, outside from deep blue by white and gold to dark brown.
fn colour(count: u8) -> [u8; 3] {
    const STOPS: [[f64; 3]; 5] =
        [[0.0, 7.0, 100.0], [32.0, 107.0, 203.0], [237.0, 255.0, 255.0], [255.0, 170.0, 0.0], [60.0, 20.0, 0.0]];
    if count == 255 {
        return [0, 0, 0];
    }
    // The square root spreads the low counts, where nearly all of the points are.
    let position = (f64::from(count) / 254.0).sqrt() * (STOPS.len() - 1) as f64;
    let stop = (position as usize).min(STOPS.len() - 2);
    let share = position - stop as f64;
    let mix = |channel: usize| STOPS[stop][channel] + (STOPS[stop + 1][channel] - STOPS[stop][channel]) * share;
    [mix(0) as u8, mix(1) as u8, mix(2) as u8]
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(data);
    let checksum = crc32(&file[start..]);
    file.extend(checksum.to_be_bytes());
}

/// Wraps bytes as a zlib stream of stored blocks, without compression (RFC 1950, RFC 1951 section 3.2.4).
fn zlib_stored(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(65_535).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    stream.extend(adler32(bytes).to_be_bytes());
    stream
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    for &byte in bytes {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
