//! Compressed offload bundles. (clang/docs/ClangOffloadBundler.rst, Compression and Decompression; version 1 has no
//! total size: clang/lib/Driver/OffloadBundler.cpp)

use super::source::Span;
use std::io::{self, Read};

const MAGIC: &[u8; 4] = b"CCOB";

/// What is ever decompressed of one bundle, in bytes. Its table comes first and is smaller.
const PLAIN: u64 = 1 << 20;

/// A compressed bundle.
pub(super) struct Compressed<'a> {
    /// The decompressed bundle as far as a table can reach.
    pub content: Box<dyn Read + 'a>,
    /// The size that it claims to have decompressed, in bytes.
    pub plain_size: u64,
    /// Bytes to where the next bundle may begin; only the header's where it does not say.
    pub size: u64,
}

/// Whether these are the first bytes of a compressed bundle.
pub(super) fn is_compressed(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) && matches!(bytes.get(4..8), Some([1..=3, 0, 0 | 1, 0]))
}

/// Reads the header and prepares the rest.
pub(super) fn open_compressed(span: Span<'_>) -> io::Result<Compressed<'_>> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
    let short = || wrong("it is cut off");
    let number = |offset, size: usize| -> io::Result<u64> {
        let bytes = span.bytes(offset, size as u64).ok_or_else(short)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    };
    let (version, method) = (number(4, 2)?, number(6, 2)?);
    let (header, total, plain_size) = match version {
        1 => (20, None, number(8, 4)?),
        2 => (24, Some(number(8, 4)?), number(12, 4)?),
        3 => (32, Some(number(8, 8)?), number(16, 8)?),
        _ => return Err(wrong("its version is not known")),
    };
    let end = total.unwrap_or(span.size());
    let packed = end.checked_sub(header).and_then(|size| span.slice(header, size)).ok_or_else(short)?;
    let content: Box<dyn Read> = match method {
        0 => Box::new(flate2::read::ZlibDecoder::new(packed).take(PLAIN)),
        1 => Box::new(zstd::stream::read::Decoder::new(packed)?.take(PLAIN)),
        _ => return Err(wrong("its compression is not known")),
    };
    Ok(Compressed { content, plain_size, size: total.unwrap_or(header) })
}
