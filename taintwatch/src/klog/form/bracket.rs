//! The kernel's own prefixes: `<4>`, `[   12.345678]`, `[T77]`, and what vendors put behind them.

use super::{super::Line, stamp};

/// `<4>`: the number, and what is behind it.
pub(super) fn priority(line: &str) -> Option<(u32, &str)> {
    let (number, rest) = line.strip_prefix('<')?.split_once('>')?;
    (1..=4)
        .contains(&number.len())
        .then_some(())
        .and_then(|()| Some((number.parse().ok()?, rest)))
}

/// `kern  :warn  : ` of `dmesg -x`: whether the kernel wrote it, and what is behind it.
pub(super) fn decoded(line: &str) -> Option<(bool, &str)> {
    let (facility, rest) = line.split_once(':')?;
    let (level, rest) = rest.split_once(": ")?;
    let (facility, level) = (facility.trim_end(), level.trim_end());
    let levels = [
        "emerg", "alert", "crit", "err", "warn", "notice", "info", "debug",
    ];
    let is_facility = (2..=8).contains(&facility.len())
        && facility
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (is_facility && levels.contains(&level)).then_some((facility == "kern", rest))
}

/// `[   12.345678] `, `[T77] ` behind it, and the other times that `dmesg` writes in brackets.
pub(super) fn time(line: &str) -> Option<Line<'_>> {
    let (inside, rest) = line.strip_prefix('[')?.split_once(']')?;
    let time = inside.trim_start();
    let since_boot = since_boot(time);
    let mut found = Line {
        since_boot,
        ..Line::of(rest)
    };
    if since_boot.is_none() {
        // `[<c0123456>]` is an address.
        let is_relative = |text: &str| {
            let text = text.strip_prefix(['+', '<']).map(str::trim_start);
            text.is_some_and(|text| seconds(text.trim_end_matches('>')).is_some())
        };
        // `dmesg -T -d` puts the time since the line before behind it.
        let wall = time.split_once(" <").map_or(time, |(wall, _)| wall);
        if is_wall(wall) {
            found.stamp = Some(wall);
        } else if !is_relative(time) {
            return None;
        }
    }
    let (caller, text) = caller(rest);
    found.caller = caller;
    found.text = text.strip_prefix(' ').unwrap_or(text);
    Some(found)
}

/// `[12:34:56.789] `, `[2024-05-01 12:34:56] `: added by a recorder of a console, so only in front of a time of the
/// kernel's.
pub(super) fn recorded(line: &str) -> Option<Line<'_>> {
    let (time, rest) = line.strip_prefix('[')?.split_once(']')?;
    let text = rest.trim_start();
    if !stamp::is_digits(time) || !is_kernels(text) {
        return None;
    }
    let wall = stamp::timestamp(time);
    Some(Line {
        wall,
        stamp: Some(time).filter(|_| wall.is_none()),
        ..Line::of(text)
    })
}

/// Whether a text begins with the time that the kernel itself writes, which has six digits behind the point.
pub(in super::super) fn is_kernels(text: &str) -> bool {
    let time = match priority(text) {
        Some((priority, rest)) if priority >> 3 == 0 => rest,
        Some(_) => return false,
        None => text,
    };
    time.strip_prefix('[')
        .and_then(|time| time.split_once(']'))
        .is_some_and(|(time, _)| {
            let time = time.trim_start();
            let fraction = time.split('.').nth(1).unwrap_or_default();
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            digits == 6 && since_boot(time).is_some()
        })
}

/// `12.345678`, and what the kernels of vendors put behind it: `12.345678@1` and `12.345678,1` the CPU, `12.345678s` the
/// unit, `12.345678 / 04-25 12:34:56.789` the time on the wall. `dmesg -d` and the journal put ` < 0.000012 >` there.
fn since_boot(time: &str) -> Option<u64> {
    let is_digit = |c: char| c.is_ascii_digit() || c == '.';
    let behind = time.trim_start_matches(is_digit);
    let number = time.get(..time.len() - behind.len())?;
    let is_cpu = |cpu: &str| !cpu.is_empty() && cpu.bytes().all(|byte| byte.is_ascii_digit());
    let fits = matches!(behind, "" | "s")
        || behind.starts_with(' ')
        || behind.strip_prefix(['@', ',']).is_some_and(is_cpu);
    fits.then(|| seconds(number))?
}

/// `[   54.024197800,5] TEXT` of OPAL, the firmware of POWER, on the same console: nine digits and a level (`vprlog`,
/// `core/console-log.c` of skiboot). Its clock is its own.
pub(super) fn is_firmwares(line: &str) -> bool {
    let time = line
        .strip_prefix('[')
        .and_then(|line| line.split_once("] "));
    let parts = time.and_then(|(time, _)| time.split_once(','));
    parts.is_some_and(|(time, level)| {
        let fraction = time.split_once('.').map(|(_, fraction)| fraction);
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        fraction.is_some_and(|fraction| fraction.len() == 9 && is_number(fraction))
            && level.len() == 1
            && is_number(level)
    })
}

/// `[   T77] TEXT`, from a kernel that prints no times.
pub(super) fn called(line: &str) -> Option<Line<'_>> {
    let (caller, text) = upstream(line)?;
    Some(Line {
        caller: Some(caller),
        ..Line::of(text.strip_prefix(' ').unwrap_or(text))
    })
}

/// `  12.345678] text`: the log was copied without its first character.
pub(super) fn cut(line: &str) -> Option<Line<'_>> {
    let (time, text) = line.split_once("] ")?;
    let whole = time.len() > 7 && time.as_bytes().get(time.len() - 7) == Some(&b'.');
    Some(Line {
        since_boot: Some(seconds(time).filter(|_| whole)?),
        ..Line::of(text)
    })
}

/// `Tue Nov 24 12:00:00 2026`, `Nov24 12:00`, in any language: a time of the wall without zone.
fn is_wall(time: &str) -> bool {
    let reltime = || {
        let (date, clock) = time.rsplit_once(' ')?;
        let month = date.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_date = month.len() < date.len() && stamp::is_month(month.trim_end());
        Some(is_date && clock.len() == 5 && clock.get(2..3) == Some(":"))
    };
    stamp::is_ctime(time) || reltime().unwrap_or(false)
}

/// `12.345678` in nanoseconds; a board's vendor can have taken the fraction away, `240.`.
pub(in super::super) fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.')?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let scale = 10_u64.pow(9 - u32::try_from(fraction.len()).ok()?);
    let whole: u64 = whole.parse().ok()?;
    whole
        .checked_mul(1_000_000_000)?
        .checked_add(fraction.parse::<u64>().unwrap_or(0) * scale)
}

/// Who wrote the line, as the kernel or a vendor's kernel puts it behind the time.
fn caller(rest: &str) -> (Option<&str>, &str) {
    let text = rest.trim_start();
    upstream(text)
        .or_else(|| vendors(text))
        .or_else(|| android(text))
        .map_or((None, rest), |(caller, rest)| (Some(caller), rest))
}

/// `[   T77]`, `[    C1]` (`CONFIG_PRINTK_CALLER`).
fn upstream(text: &str) -> Option<(&str, &str)> {
    let (inside, rest) = text.strip_prefix('[')?.split_once(']')?;
    let caller = inside.trim_start();
    let digits = caller.strip_prefix(['T', 'C'])?;
    let fits = |byte: u8| byte.is_ascii_digit() || byte == b'@' || byte == b'C';
    (!digits.is_empty() && digits.bytes().all(fits)).then_some((caller, rest))
}

/// `(2)[123:kworker/2:1]`, `-(2)[123:kworker/2:1]`, `[2:  insmod:  123]`, `I[2:  insmod:  123]` and
/// `[pid:123,cpu2,insmod]` of phones and boards.
fn vendors(text: &str) -> Option<(&str, &str)> {
    let unmarked = match text.as_bytes() {
        [b'-', b'(', ..] | [b'A'..=b'Z', b'[', ..] => text.get(1..)?,
        _ => text,
    };
    let bracket = match unmarked.strip_prefix('(') {
        Some(rest) => {
            let (cpu, rest) = rest.split_once(')')?;
            cpu.parse::<u32>().ok()?;
            rest
        }
        None => unmarked,
    };
    let (inside, rest) = bracket.strip_prefix('[')?.split_once(']')?;
    let is_number = |text: &str| text.trim().parse::<u32>().is_ok();
    let (first, behind) = inside.split_once(':')?;
    let of_task = (first == "pid" && behind.contains(",cpu"))
        || is_number(first)
            && (bracket.len() < unmarked.len() || behind.rsplit(':').next().is_some_and(is_number));
    let caller = text.get(..text.len() - rest.len())?;
    of_task.then_some((caller, rest))
}

/// `c1    321 `: CPU and task.
fn android(text: &str) -> Option<(&str, &str)> {
    let (cpu, behind) = text.strip_prefix('c')?.split_once(' ')?;
    let behind = behind.trim_start();
    let (pid, rest) = behind.split_once(' ')?;
    let is_number = |text: &str| {
        !text.is_empty() && text.len() < 8 && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let caller = text.get(..text.len() - rest.len() - 1)?;
    (is_number(cpu) && is_number(pid)).then_some((caller, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time, stamp, caller and text.
    type Read<'a> = (Option<u64>, Option<&'a str>, Option<&'a str>, &'a str);

    fn read(line: &str) -> Option<Read<'_>> {
        let found = time(line)?;
        Some((found.since_boot, found.stamp, found.caller, found.text))
    }

    #[test]
    fn a_facility_is_a_short_word() {
        assert_eq!(decoded("kern  :warn  : x"), Some((true, "x")));
        assert_eq!(decoded("local0:info  : x"), Some((false, "x")));
        for line in [
            "KERN:warn: x",
            "abcdefghi:warn: x",
            "kern:loud: x",
            "k:warn: x",
        ] {
            assert_eq!(decoded(line), None, "{line}");
        }
    }

    #[test]
    fn a_number_of_seconds_has_a_point_and_digits_around_it() {
        assert_eq!(seconds("1.123456789"), Some(1_123_456_789));
        assert_eq!(seconds("240."), Some(240_000_000_000));
        for text in [".5", "1.x", "x.1", "1.1234567890", "12"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn vendors_put_a_cpu_behind_the_time() {
        let at = Some(1_500_000_000);
        for line in [
            "[1.500000@1] x",
            "[1.500000,1] x",
            "[1.500000s] x",
            "[1.500000 < 0.1 >] x",
        ] {
            assert_eq!(read(line), Some((at, None, None, "x")), "{line}");
        }
        for line in ["[1.500000@] x", "[1.500000@y] x", "[1.500000y] x"] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn a_day_without_a_year_has_month_day_and_clock() {
        let day = "Nov24 12:00";
        assert_eq!(read("[Nov24 12:00] x"), Some((None, Some(day), None, "x")));
        for line in [
            "[Nov 12:00] x",
            "[2424 12:00] x",
            "[Nov24 12x00] x",
            "[Nov24 12:000] x",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn a_caller_is_known_by_its_shape() {
        let caller = |text: &str| {
            let line = format!("[1.500000]{text}");
            let (_, _, caller, text) = read(&line).unwrap();
            (caller.map(str::to_owned), text.to_owned())
        };
        for text in [
            "[T77]",
            "[    C1]",
            "[T77@C1]",
            "(2)[123:kworker/2:1]",
            "-(2)[123:kworker/2:1]",
            "[2:  insmod:  123]",
            "I[2:  insmod:  123]",
            "[pid:123,cpu2,insmod]",
            "c1 1234567",
        ] {
            let (caller, behind) = caller(&format!("{text} x"));
            let expected = text.trim_matches(['[', ']']).trim_start();
            let caller = caller.unwrap();
            assert!(caller == expected || caller == text, "{text} {caller}");
            assert_eq!(behind, "x", "{text}");
        }
        for text in [
            "[Tx] x",
            "[T] x",
            "[X7] x",
            "[pid:123] x",
            "[foo:1,cpu2] x",
            "[2: insmod: abc] x",
            "[a:b:3] x",
            "c1 12345678 x",
            "cx 321 x",
            "c1 y2 x",
        ] {
            assert_eq!(caller(text), (None, text.to_owned()), "{text}");
        }
    }

    #[test]
    fn seconds_are_digits_alone() {
        assert_eq!(seconds("5.123456"), Some(5_123_456_000));
        assert_eq!(seconds("240."), Some(240_000_000_000));
        for text in ["+5.0", ".5", "5.-1", "5", "x.0", "5.0123456789"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
