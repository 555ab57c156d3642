//! wip
#[must_use]
pub fn page(asked: &super::facts::Asked<'_, '_>) -> String {
    format!("{}", asked.events())
}
