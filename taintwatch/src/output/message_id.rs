//! What tells the journal's entries of one kind from others.
//!
//! In: a kind of event. Out: its `MESSAGE_ID`, under which the catalog explains it.

use crate::event::Kind;

/// Random, and never to change.
#[must_use]
pub const fn message_id(kind: Kind) -> &'static str {
    match kind {
        Kind::Taint => "318668b5cf3b4f9f984c7f4496724acb",
        Kind::ModuleLoad => "3a3765eec873411b990282a1047113d3",
        Kind::ModuleLoadFailed => "c9e1e0ca70c645b3a5ca8df81382370d",
        Kind::ModuleUnload => "bae77458b13c434bb431356c112f4cc0",
        Kind::MaskWrite => "f3082ebff5e34bc8bf4d855d708351f1",
        Kind::Coverage => "44d33a8e48924a4fb3e94db24f4aec6e",
        Kind::Lost => "ff03669b1daa4061a4e1209de1a09f4d",
    }
}
