//! Whatever stands in records, they become events without a panic, and what they say holds together.

use proptest::prelude::*;

use super::attributor;
use crate::{
    event::{Context, Event},
    record::{decode, tests::records},
};

fn holds_together(event: &Event) -> Result<(), TestCaseError> {
    let in_interrupt = event
        .context
        .is_some_and(|context| context != Context::Task);
    prop_assert!(
        !in_interrupt || event.task.is_none(),
        "a task is blamed for an interrupt"
    );
    let json = serde_json::to_string(event).unwrap();
    let again: Event = serde_json::from_str(&json).unwrap();
    prop_assert_eq!(&again, event, "its JSON says something else");
    Ok(())
}

proptest! {
    #[test]
    fn any_records_become_events(records in proptest::collection::vec(records(), 1..6)) {
        let mut attributor = attributor();
        for (_, bytes) in records {
            let (events, _) = attributor.events(&decode(&bytes).unwrap());
            for event in events {
                holds_together(&event)?;
            }
        }
    }
}
