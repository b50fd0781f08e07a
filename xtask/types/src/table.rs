//! The table's file: texts, each compressed by itself.

use std::io;

use miniz_oxide::{deflate::compress_to_vec, inflate::decompress_to_vec};

/// The first bytes of the file; the digit is the version of the format.
const MAGIC: &[u8] = b"azure-types 1\n";
/// The best compression of miniz_oxide. The table is made rarely and shipped often.
const LEVEL: u8 = 10;

/// The bytes of a table with these texts. The same texts always give the same bytes.
pub(crate) fn packed(texts: &[String]) -> io::Result<Vec<u8>> {
    let mut head = MAGIC.to_vec();
    head.extend(length(texts.len())?);
    let mut body = Vec::new();
    for text in texts {
        let compressed = compress_to_vec(text.as_bytes(), LEVEL);
        head.extend(length(compressed.len())?);
        body.extend(compressed);
    }
    head.extend(body);
    Ok(head)
}

/// The texts of a table.
pub(crate) fn unpacked(table: &[u8]) -> io::Result<Vec<String>> {
    let cut = || io::Error::other("it is incomplete");
    let head = table.strip_prefix(MAGIC).ok_or_else(|| io::Error::other("it has another format"))?;
    let (count, mut lengths) = head.split_first_chunk::<4>().ok_or_else(cut)?;
    let count = u32::from_le_bytes(*count) as usize;
    let mut rest = lengths.get(count * 4..).ok_or_else(cut)?;
    let mut texts = Vec::new();
    for _ in 0..count {
        let (length, others) = lengths.split_first_chunk::<4>().ok_or_else(cut)?;
        let (text, after) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut)?;
        let text = decompress_to_vec(text).map_err(|error| io::Error::other(error.to_string()))?;
        texts.push(String::from_utf8(text).map_err(io::Error::other)?);
        (lengths, rest) = (others, after);
    }
    Ok(texts)
}

fn length(length: usize) -> io::Result<[u8; 4]> {
    u32::try_from(length).map(u32::to_le_bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::{packed, unpacked};

    #[test]
    fn a_table_gives_back_its_texts() {
        let texts = ["contents".to_owned(), String::new(), "{\"a\":1}\n".repeat(1000)];
        let table = packed(&texts).unwrap();
        assert!(table.len() < 200, "{}", table.len());
        assert_eq!(unpacked(&table).unwrap(), texts);
    }

    #[test]
    fn a_damaged_table_is_refused() {
        let table = packed(&["contents".to_owned()]).unwrap();
        for length in 0..table.len() {
            unpacked(&table[..length]).unwrap_err();
        }
    }
}
