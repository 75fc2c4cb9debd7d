//! `application/x-www-form-urlencoded` as the WHATWG URL standard decodes it, except that bytes which are not UTF-8 are refused.

/// The pairs of a query string in order; `None` for a pair that is not UTF-8.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = Option<(String, String)>> + '_ {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(name)?, decode(value)?))
    })
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'+' => b' ',
            b'%' => {
                let mut ahead = rest.clone();
                match (ahead.next().and_then(hex), ahead.next().and_then(hex)) {
                    (Some(high), Some(low)) => {
                        rest = ahead;
                        high << 4 | low
                    }
                    _ => b'%',
                }
            }
            other => other,
        };
        bytes.push(decoded);
    }
    String::from_utf8(bytes).ok()
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded() {
        let found: Vec<_> = pairs("q=a+b%20c%C3%A9&x&&y=1=2&z=%zz").collect();
        let expected = [("q", "a b cé"), ("x", ""), ("y", "1=2"), ("z", "%zz")];
        assert_eq!(found, expected.map(|(name, value)| Some((name.to_owned(), value.to_owned()))));
        assert_eq!(pairs("q=%ff").next(), Some(None));
    }
}
