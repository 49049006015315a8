//! A reader for the safetensors format: eight bytes of header length, a JSON header, raw little-endian numbers.
//! <https://github.com/huggingface/safetensors#format>
use super::Error;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;

/// The header of the pinned model has 12 KB.
const LARGEST_HEADER: usize = 1 << 20;
const LENGTH_BYTES: usize = 8;
const FLOAT_BYTES: usize = 4;

pub(super) struct Weights {
    bytes: Vec<u8>,
    tensors: BTreeMap<String, Tensor>,
}

struct Tensor {
    shape: Vec<usize>,
    place: Range<usize>,
}

pub(super) fn parse(bytes: Vec<u8>) -> Result<Weights, Error> {
    let malformed = |what: &str| Error::Malformed(what.to_owned());
    let length = bytes.first_chunk::<LENGTH_BYTES>().ok_or_else(|| malformed("no header"))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok().filter(|length| *length <= LARGEST_HEADER);
    let start = LENGTH_BYTES + length.ok_or_else(|| malformed("the header is too long"))?;
    let header = bytes.get(LENGTH_BYTES..start).ok_or_else(|| malformed("the header is cut off"))?;
    let header: BTreeMap<String, Value> =
        serde_json::from_slice(header).map_err(|error| Error::Malformed(error.to_string()))?;
    let mut tensors = BTreeMap::new();
    for (name, entry) in header {
        // Position ids are whole numbers and implied; `__metadata__` has no type at all.
        if entry.get("dtype").and_then(Value::as_str) == Some("F32") {
            let tensor = tensor(&entry, start, bytes.len()).ok_or_else(|| malformed(&name))?;
            tensors.insert(name, tensor);
        }
    }
    Ok(Weights { bytes, tensors })
}

fn tensor(entry: &Value, start: usize, end: usize) -> Option<Tensor> {
    let numbers = |key: &str| -> Option<Vec<usize>> {
        entry.get(key)?.as_array()?.iter().map(|number| usize::try_from(number.as_u64()?).ok()).collect()
    };
    let shape = numbers("shape")?;
    let offsets = numbers("data_offsets")?;
    let &[first, last] = offsets.as_slice() else { return None };
    let size = shape.iter().try_fold(FLOAT_BYTES, |size, length| size.checked_mul(*length))?;
    let place = start.checked_add(first)?..start.checked_add(last)?;
    (place.end <= end && place.start.checked_add(size)? == place.end).then_some(Tensor { shape, place })
}

impl Weights {
    /// All numbers of a tensor that must have this shape.
    pub(super) fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let tensor = self.tensors.get(name).filter(|tensor| tensor.shape == shape);
        let bytes = tensor.and_then(|tensor| self.bytes.get(tensor.place.clone()));
        let bytes = bytes.ok_or_else(|| Error::Malformed(format!("no tensor {name} of the shape {shape:?}")))?;
        Ok(bytes.as_chunks::<FLOAT_BYTES>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[f32]) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data.iter().flat_map(|number| number.to_le_bytes()));
        bytes
    }

    fn entry(kind: &str, shape: &str, offsets: &str) -> String {
        format!(r#"{{"__metadata__":{{"a":"b"}},"t":{{"dtype":"{kind}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    }

    #[test]
    fn a_tensor_is_read_by_name_and_shape() {
        let weights = parse(file(&entry("F32", "[2,1]", "[4,12]"), &[9.0, 1.5, -2.0])).unwrap();
        assert_eq!(weights.floats("t", &[2, 1]).unwrap(), [1.5, -2.0]);
        assert_eq!(weights.floats("t", &[1, 2]).unwrap_err().code(), "model_malformed");
        assert!(weights.floats("u", &[2, 1]).is_err());
    }

    #[test]
    fn every_lie_about_a_length_is_refused() {
        let good = file(&entry("F32", "[2]", "[0,8]"), &[1.0, 2.0]);
        for cut in [0, 7, 8, 20, good.len() - 1] {
            assert!(parse(good.get(..cut).unwrap().to_vec()).is_err(), "cut at {cut}");
        }
        for (shape, offsets) in [
            ("[3]", "[0,8]"),
            ("[2]", "[0,12]"),
            ("[2]", "[8,0]"),
            ("[2]", "[4,12]"),
            ("[2]", "[0]"),
            ("[-2]", "[0,8]"),
            ("[4611686018427387904,4]", "[0,0]"),
            ("[2]", "[18446744073709551608,18446744073709551615]"),
        ] {
            assert!(parse(file(&entry("F32", shape, offsets), &[1.0, 2.0])).is_err(), "{shape} {offsets}");
        }
        assert!(parse([&u64::MAX.to_le_bytes()[..], b"{}"].concat()).is_err());
        let other = parse(file(&entry("F16", "[4]", "[0,8]"), &[1.0, 2.0])).unwrap();
        assert!(other.floats("t", &[4]).is_err());
    }
}
