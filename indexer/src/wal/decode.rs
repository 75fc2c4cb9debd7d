//! Reads one `pgoutput` message. Every length is checked before it is used.

use super::{Cell, DecodeError, Message, Relation, Tuple};
use bytes::{Buf, Bytes};

/// Decodes one message's bytes.
pub(crate) fn decode(bytes: Bytes) -> Result<Message, DecodeError> {
    let mut input = Input(bytes);
    match input.u8()? {
        b'R' => input.relation().map(Message::Relation),
        b'I' => {
            let relation = input.u32()?;
            input.expect(b'N')?;
            Ok(Message::Insert { relation, new: input.tuple()? })
        }
        b'U' => {
            let relation = input.u32()?;
            match input.u8()? {
                b'N' => Ok(Message::Update { relation, old: None, new: input.tuple()? }),
                b'K' | b'O' => {
                    let old = Some(input.tuple()?);
                    input.expect(b'N')?;
                    Ok(Message::Update { relation, old, new: input.tuple()? })
                }
                tag => Err(DecodeError::Tag(tag)),
            }
        }
        b'D' => {
            let relation = input.u32()?;
            match input.u8()? {
                b'K' | b'O' => Ok(Message::Delete { relation, old: input.tuple()? }),
                tag => Err(DecodeError::Tag(tag)),
            }
        }
        b'T' => {
            let count = input.u32()?;
            let _options = input.u8()?;
            let relations = (0..count).map(|_| input.u32()).collect::<Result<_, _>>()?;
            Ok(Message::Truncate { relations })
        }
        b'Y' | b'O' => Ok(Message::Ignored),
        tag => Err(DecodeError::Tag(tag)),
    }
}

struct Input(Bytes);

impl Input {
    fn u8(&mut self) -> Result<u8, DecodeError> {
        self.0.try_get_u8().map_err(|_| DecodeError::Truncated)
    }

    fn u16(&mut self) -> Result<u16, DecodeError> {
        self.0.try_get_u16().map_err(|_| DecodeError::Truncated)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.0.try_get_u32().map_err(|_| DecodeError::Truncated)
    }

    fn expect(&mut self, tag: u8) -> Result<(), DecodeError> {
        let found = self.u8()?;
        if found == tag { Ok(()) } else { Err(DecodeError::Tag(found)) }
    }

    fn take(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        if self.0.len() < length { Err(DecodeError::Truncated) } else { Ok(self.0.split_to(length)) }
    }

    fn text(&mut self) -> Result<String, DecodeError> {
        let end = self.0.iter().position(|&byte| byte == 0).ok_or(DecodeError::Truncated)?;
        let text = self.take(end)?;
        self.0.advance(1);
        String::from_utf8(text.into()).map_err(|_| DecodeError::Utf8)
    }

    fn relation(&mut self) -> Result<Relation, DecodeError> {
        let id = self.u32()?;
        let namespace = self.text()?;
        let name = self.text()?;
        let _replica_identity = self.u8()?;
        let count = self.u16()?;
        let mut columns = Vec::new();
        for _ in 0..count {
            let _is_key = self.u8()?;
            columns.push(self.text()?);
            let _type = self.u32()?;
            let _modifier = self.u32()?;
        }
        Ok(Relation { id, namespace, name, columns })
    }

    fn tuple(&mut self) -> Result<Tuple, DecodeError> {
        let count = self.u16()?;
        let mut cells = Vec::new();
        for _ in 0..count {
            cells.push(match self.u8()? {
                b'n' => Cell::Null,
                b'u' => Cell::Unchanged,
                b't' => {
                    let length = self.u32()?;
                    Cell::Text(self.take(usize::try_from(length).map_err(|_| DecodeError::Truncated)?)?)
                }
                tag => return Err(DecodeError::Tag(tag)),
            });
        }
        Ok(cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    fn text_cell(out: &mut BytesMut, text: &str) {
        out.put_u8(b't');
        out.put_u32(u32::try_from(text.len()).unwrap());
        out.put_slice(text.as_bytes());
    }

    #[test]
    fn a_key_move_carries_the_old_key_and_an_untouched_toast() {
        let mut bytes = BytesMut::from(&b"U"[..]);
        bytes.put_u32(7);
        bytes.put_u8(b'K');
        bytes.put_u16(2);
        text_cell(&mut bytes, "old");
        bytes.put_u8(b'n');
        bytes.put_u8(b'N');
        bytes.put_u16(2);
        text_cell(&mut bytes, "new");
        bytes.put_u8(b'u');
        let text = |text: &'static str| Cell::Text(Bytes::from_static(text.as_bytes()));
        let expected = Message::Update {
            relation: 7,
            old: Some(vec![text("old"), Cell::Null]),
            new: vec![text("new"), Cell::Unchanged],
        };
        assert_eq!(decode(bytes.freeze()), Ok(expected));
    }

    #[test]
    fn a_relation_names_its_columns_in_order() {
        let mut bytes = BytesMut::from(&b"R"[..]);
        bytes.put_u32(16400);
        bytes.put_slice(b"public\0venue\0d");
        bytes.put_u16(2);
        for name in ["venue_id", "name"] {
            bytes.put_u8(1);
            bytes.put_slice(name.as_bytes());
            bytes.put_u8(0);
            bytes.put_u32(25);
            bytes.put_u32(u32::MAX);
        }
        let expected = Relation {
            id: 16400,
            namespace: "public".into(),
            name: "venue".into(),
            columns: vec!["venue_id".into(), "name".into()],
        };
        assert_eq!(decode(bytes.freeze()), Ok(Message::Relation(expected)));
    }

    #[test]
    fn a_truncate_of_a_huge_count_ends_early() {
        assert_eq!(decode(Bytes::from_static(b"T\xff\xff\xff\xff\0\0\0\0\x01")), Err(DecodeError::Truncated));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, tag in prop::sample::select(b"RIUDTYO".to_vec())) {
            let mut message = vec![tag];
            message.extend(bytes);
            let _decoded = decode(message.into());
        }
    }
}
