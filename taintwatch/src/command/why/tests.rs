//! Which flags an answer is about, and how it is printed.

use super::*;

/// `my_module` set P, without a count, and E; what set bit 31 is not known.
fn boot() -> Boot {
    let event = |seq: u64, bit: u32, count: Option<u64>| {
        let mut taint = LINUX.named_flag(bit);
        taint.count = count;
        let event = serde_json::json!({
            "schema": 1, "id": seq.to_string(), "seq": seq, "kind": "taint", "time": "2026-01-01T00:00:00Z",
            "taint": taint, "module": {"name": "my_module", "path": format!("/lib/{}.ko", ["name"; 12].join("/"))},
            "caller": "load_module+0x12c4",
            "cause": {"class": "module_load", "summary": "an unsigned module was loaded: my_module, loaded by insmod",
                      "confidence": "observed", "sources": ["mask_watch", "taint_entry", "loader_slot"]},
        });
        serde_json::from_value(event).unwrap()
    };
    Boot {
        id: None,
        mask: Mask(1 << 31 | 1 << 13),
        table: LINUX,
        omitted: Omitted::default(),
        events: vec![
            event(1, 0, None),
            event(2, 13, Some(1)),
            event(3, 13, Some(2)),
        ],
    }
}

/// The bits of the answer, or the error.
fn bits(words: &[&str]) -> Result<Vec<u32>> {
    let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
    let boot = boot();
    let about = About::of(&words, &boot.modules(vec!["dummy".to_owned()]))?;
    Ok(boot.answers(&about).iter().map(|why| why.bit).collect())
}

#[test]
fn flags_and_modules_have_many_words() {
    for (words, expected) in [
        (&[][..], &[0, 13, 31][..]),
        (&["E"], &[13]),
        (&["13"], &[13]),
        (&["UNSIGNED_MODULE"], &[13]),
        (&["TAINT_PROPRIETARY_MODULE", "31"], &[0, 31]),
        (&["my_module"], &[0, 13]),
        (&["E", "my*"], &[13, 0]),
        // Nothing is wrong with asking about these.
        (&["W"], &[]),
        (&["dummy"], &[]),
    ] {
        assert_eq!(bits(words).unwrap(), expected, "{words:?}");
    }
}

#[test]
fn an_unknown_word_is_an_error_that_says_what_to_give() {
    for word in ["zzz", "99", "POE", "Z", "my_module.ko", "other*", ""] {
        let error = bits(&["E", word]).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{word:?}")) && error.contains("a letter such as W"),
            "{error}"
        );
    }
}

#[test]
fn a_flag_without_an_event_has_no_chain_and_no_cause() {
    let answer = boot().why(31, |_| true);
    assert!(answer.chain.is_empty() && answer.confidence == Confidence::Unattributed);
}

#[test]
fn fits_the_page() {
    let mut layout = Layout::new(60);
    for answer in [boot().why(0, |_| true), boot().why(31, |_| true)] {
        print(&answer, "this boot", &mut layout);
    }
    let text = layout.text();
    insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string(), @r"
    P  PROPRIETARY_MODULE, now clear: set once in this boot,
       observed
      file    /lib/name/name/name/name/name/name/name/name/name/name/name/name.ko
              by the file that the kernel opened
      module  my_module
              by the module loader, which was loading it
      code    load_module+0x12c4
              by the stack, resolved when it happened
      flag    an unsigned module was loaded: my_module, loaded
              by insmod
              by watchpoint on the mask, hook on add_taint,
                 hooks around the module loader
      event   1 of 2026-01-01T00:00:00.000000000Z

    [31]  unknown: set, how often is not recorded, unattributed
      what set it is not recorded
    ");
}
