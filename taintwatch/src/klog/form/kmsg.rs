//! Records of `/dev/kmsg`, as a program or netconsole copied them.

use super::{super::Line, parsed::Parsed};

/// `4,1023,5234112,-[,caller=T88];TEXT`, by netconsole with the release in front.
pub(super) fn record(line: &str) -> Parsed<'_> {
    parse(line).unwrap_or(Parsed::Bare(line))
}

fn parse(line: &str) -> Option<Parsed<'_>> {
    let (prefix, text) = line.split_once(';')?;
    let mut fields = prefix.split(',');
    let mut priority = fields.next()?;
    if priority.contains('.') {
        priority = fields.next()?;
    }
    let priority: u32 = priority.parse().ok()?;
    let number = fields.next()?.parse().ok()?;
    let micros: u64 = fields.next()?.parse().ok()?;
    fields.next()?;
    let caller = fields.find_map(|field| field.strip_prefix("caller="));
    // Another facility than 0: a program wrote it.
    if priority >> 3 != 0 {
        return Some(Parsed::Foreign);
    }
    Some(Parsed::Line(Line {
        number,
        since_boot: Some(micros.saturating_mul(1000)),
        caller,
        ..Line::of(text)
    }))
}

/// ` SUBSYSTEM=usb`: a further field of the record before.
pub(super) fn is_field(line: &str) -> bool {
    line.strip_prefix(' ')
        .and_then(|field| field.split_once('='))
        .is_some_and(|(name, _)| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_its_number_and_its_time() {
        let Some(Parsed::Line(line)) = parse("6,1234,5678,-,caller=T7;x") else {
            panic!("a record")
        };
        let expected = Line {
            number: 1234,
            since_boot: Some(5_678_000),
            caller: Some("T7"),
            ..Line::of("x")
        };
        assert_eq!(line, expected);
    }
}
