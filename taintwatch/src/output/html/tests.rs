//! The page as text; what a browser makes of it is tested with a browser.

use super::*;
use crate::{
    event::{Event, Kind},
    history::{self, History, Liveness, tests::fixture},
    kernel::identity,
    output::limits::Limits,
};

fn page_of(events: &[Event], liveness: &Liveness) -> String {
    let history = History::of(events, liveness);
    page(&Scope {
        boots: history.boots.iter().collect(),
        description: "all boots; modules <b>&\u{1b}".to_owned(),
        made: identity::wall_clock(0),
        only: None,
        limits: Limits::PAGE,
        fleet: None,
    })
}

#[test]
fn what_the_kernel_or_an_author_wrote_is_text() {
    let (events, liveness) = fixture();
    let page = page_of(&events, &liveness);
    assert!(page.contains("&lt;img src=x onerror=document.title='owned'&gt;"));
    assert!(page.contains("modules &lt;b&gt;&amp;\\x1b"));
    assert!(!page.contains("<img") && !page.contains("<b>&"));
    assert_eq!(page.matches("</script").count(), 2);
    let odd = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!page.contains(odd));
    // Whatever follows a quote that opens an attribute stays within it.
    assert!(page.contains("data-module=\"&lt;img src=x onerror=document.title='owned'&gt;\""));
}

#[test]
fn loads_nothing() {
    let (events, liveness) = fixture();
    let page = page_of(&events, &liveness);
    for word in [
        "src=\"",
        "@import",
        "//fonts",
        "<link",
        "<iframe",
        " style=\"",
        " onclick",
    ] {
        assert!(!page.replace("&quot;", "").contains(word), "{word}");
    }
    assert!(!STYLE.contains("</") && !SCRIPT.contains("</") && !STYLE.contains("http"));
}

#[test]
fn a_page_of_many_events_says_what_it_leaves_out() {
    let (mut events, liveness) = fixture();
    let load = events
        .iter()
        .find(|event| event.kind == Kind::ModuleLoad)
        .cloned()
        .unwrap();
    for seq in 1000..4000 {
        let mut event = load.clone();
        (event.seq, event.id) = (seq, seq.to_string());
        events.push(event);
    }
    let page = page_of(&events, &liveness);
    let entries = page.matches("<details class=\"event").count();
    assert_eq!(entries, Limits::PAGE.entries);
    let whole = 3000
        + page_of(&fixture().0, &liveness)
            .matches("<details class=\"event")
            .count();
    let left_out = format!("{} more events not shown one by one", whole - entries);
    assert!(page.contains(&left_out));
    // What says most is there: each first setting, and what the crash left.
    let is_first = |event: &&Event| {
        let taint = event.taint.as_ref();
        event.kind == Kind::Taint && taint.and_then(|taint| taint.first) != Some(false)
    };
    for event in fixture().0.iter().filter(is_first) {
        assert!(
            page.contains(&format!("id=\"e{}\"", event.seq)),
            "{}",
            event.seq
        );
    }
}

#[test]
fn a_page_of_many_causes_stays_small() {
    let events = history::tests::storm(10_000);
    let bounded = page_of(&events, &Liveness::default());
    assert!(bounded.len() < 2_000_000, "{} bytes", bounded.len());
    assert!(bounded.contains(" more events not shown one by one"));
    assert!(bounded.contains(" more causes, "));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(32))]
    /// Clocks and counts that no kernel has, and any text.
    #[test]
    fn draws_whatever_it_is_given(given in proptest::collection::vec((proptest::prelude::any::<(Option<u64>, u64, i64, bool)>(), ".*"), 1..9)) {
        let events: Vec<Event> = (1_u64..).zip(given).map(|(seq, ((boottime, count, second, first), text))| {
            let kind = Kind::ALL[usize::try_from(seq).unwrap() % Kind::ALL.len()];
            serde_json::from_value(serde_json::json!({
                "schema": 1, "id": text, "seq": seq, "kind": kind, "boot_id": "b", "boottime_ns": boottime,
                "time": jiff::Timestamp::from_second(second % 200_000_000_000).unwrap().to_string(),
                "taint": {"bit": count % 99, "count": count, "first": first, "bits_cleared": [count % 70]},
                "module": {"name": text, "version": text, "taints": text}, "caller": text, "stack": [text], "log": [text],
                "lost": {"count": count, "reason": text, "since_ns": boottime},
                "coverage": {"state": if first { "began" } else { "ended" }, "reason": text, "mask": format!("{count:x}")},
            })).unwrap()
        }).collect();
        let page = page_of(&events, &Liveness::default());
        proptest::prop_assert_eq!(page.matches("</script").count(), 2);
        proptest::prop_assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
    }
}
