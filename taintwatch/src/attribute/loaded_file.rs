//! What the file of a module explains of a flag that its load set.
//!
//! In: the event of a flag, when the module's file was read. Out: the same event, its sentence with the licence for P
//! and the signer, or the lack of one, for E. Unescaped: quotation marks stand around what an author wrote.

use crate::{
    event::{Class, Event, Module},
    taint::flags::bit,
};

/// Adds the reason to the sentence.
pub fn explain(event: &mut Event) {
    let flag = event.bit();
    let (Some(module), Some(cause)) = (&event.module, &mut event.cause) else {
        return;
    };
    if cause.class != Class::ModuleLoad {
        return;
    }
    let reason = match flag {
        Some(bit::PROPRIETARY_MODULE) => licence(module),
        Some(bit::UNSIGNED_MODULE) => signature(module),
        _ => None,
    };
    if let Some(reason) = reason {
        cause.summary = format!("{}; {reason}", cause.summary);
    }
}

/// A module without a licence counts as one with the licence `unspecified` (`set_license`, `kernel/module/main.c`).
fn licence(module: &Module) -> Option<String> {
    module.sha256.as_ref()?;
    Some(match &module.license {
        Some(license) => format!("its licence is {license:?}"),
        None => "it has no licence".to_owned(),
    })
}

/// The kernel does not look at the signature of a module that is loaded by force, and cannot verify one whose key it
/// does not have (`module_sig_check`, `kernel/module/signing.c`).
fn signature(module: &Module) -> Option<String> {
    let signed = match module.signature.as_deref()? {
        "none" => return Some("its file has no signature".to_owned()),
        _ => "it has a signature that the kernel did not verify",
    };
    let by = module.signer.as_ref();
    Some(by.map_or_else(
        || signed.to_owned(),
        |signer| format!("{signed}, by {signer:?}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(bit: u32, class: &str, module: &serde_json::Value) -> String {
        let mut event: Event = serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "x", "seq": 1, "kind": "taint", "time": "2026-01-01T00:00:00Z",
            "taint": {"bit": bit, "count": 1}, "module": module,
            "cause": {"class": class, "summary": "s", "confidence": "observed", "sources": []},
        }))
        .unwrap();
        explain(&mut event);
        event.cause.unwrap().summary
    }

    #[test]
    fn a_proprietary_modules_sentence_says_its_licence() {
        let said = |module| explained(0, "module_load", &module);
        let module = serde_json::json!({"sha256": "0", "license": "a\nb"});
        assert_eq!(said(module), r#"s; its licence is "a\nb""#);
        let module = serde_json::json!({"sha256": "0"});
        assert_eq!(said(module), "s; it has no licence");
        let module = serde_json::json!({"name": "m"});
        assert_eq!(said(module), "s", "the file was not read");
    }

    #[test]
    fn an_unsigned_modules_sentence_says_what_its_file_has() {
        let said = |module| explained(13, "module_load", &module);
        let module = serde_json::json!({"signature": "none"});
        assert_eq!(said(module), "s; its file has no signature");
        let module = serde_json::json!({"signature": "appended", "signer": "CN=x"});
        let signed = "s; it has a signature that the kernel did not verify";
        assert_eq!(said(module), format!("{signed}, by \"CN=x\""));
        let module = serde_json::json!({"signature": "appended"});
        assert_eq!(said(module), signed);
    }

    #[test]
    fn another_cause_is_not_explained_by_a_file() {
        let module = serde_json::json!({"sha256": "0", "license": "XPL", "signature": "none"});
        assert_eq!(explained(0, "module_code", &module), "s");
        assert_eq!(explained(12, "module_load", &module), "s");
    }
}
