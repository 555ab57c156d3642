//! Which files the loaded modules came from, for flags that their code sets later.
//!
//! In: modules as their loads ended. Out: the same for an event that has no more than the module's name. Names are used
//! again and a record can be lost: the kernel itself must show the build that the file has.

use std::{collections::HashMap, fs, path::Path};

use crate::event::{Event, Kind, Module};

const SYSFS: &str = "/sys/module";

/// By name.
#[derive(Debug, Default)]
pub(super) struct Loaded(HashMap<String, Module>);

impl Loaded {
    /// Takes what an event says of loads and unloads; adds to one of a module's code. Whether it added something.
    pub(super) fn see(&mut self, event: &mut Event) -> bool {
        self.see_with(Path::new(SYSFS), event)
    }

    fn see_with(&mut self, sysfs: &Path, event: &mut Event) -> bool {
        let by_its_code = event.is_by_a_modules_code();
        let Some(module) = &mut event.module else {
            return false;
        };
        let name = module.name.clone().unwrap_or_default();
        match event.kind {
            Kind::ModuleLoad if module.sha256.is_some() => {
                self.0.insert(name, module.clone());
                false
            }
            Kind::ModuleLoad | Kind::ModuleUnload => {
                self.0.remove(&name);
                false
            }
            _ if by_its_code && module.source.is_none() => {
                let file = self.0.get(&name).filter(|file| is_there(sysfs, file));
                file.is_some_and(|file| {
                    add(file, module);
                    true
                })
            }
            _ => false,
        }
    }
}

/// Whether the kernel has this build of it: by the note in its file, else by the checksum of its sources.
fn is_there(sysfs: &Path, module: &Module) -> bool {
    let Some(name) = module.name.as_ref().filter(|name| !name.contains('/')) else {
        return false;
    };
    let folder = sysfs.join(name);
    if let Some(build_id) = &module.build_id {
        let note = fs::read(folder.join("notes/.note.gnu.build-id"));
        return note.is_ok_and(|note| hex::encode(note).ends_with(build_id));
    }
    let known = module.srcversion.as_ref();
    let there = fs::read_to_string(folder.join("srcversion"));
    known.is_some_and(|known| there.is_ok_and(|there| there.trim() == known))
}

/// What an event says itself stays.
fn add(file: &Module, module: &mut Module) {
    let event = std::mem::replace(module, file.clone());
    module.name = event.name;
    module.taints = event.taints.or(module.taints.take());
    module.hidden = event.hidden;
    module.loaded = event.loaded;
    module.attempt = event.attempt;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, module: &serde_json::Value) -> Event {
        serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "x", "seq": 1, "kind": kind, "time": "2026-01-01T00:00:00Z", "module": module,
            "cause": {"class": "module_code", "summary": "s", "confidence": "observed", "sources": []},
        }))
        .unwrap()
    }

    #[test]
    fn a_flag_of_a_modules_code_has_the_file_that_the_kernel_shows_the_build_of() {
        let sysfs = tempfile::tempdir().unwrap();
        let notes = sysfs.path().join("m/notes");
        fs::create_dir_all(&notes).unwrap();
        let note = notes.join(".note.gnu.build-id");
        let mut loaded = Loaded::default();
        let load = serde_json::json!({"name": "m", "sha256": "a", "build_id": "beef", "loaded": true, "source": "file"});
        let named = serde_json::json!({"name": "m"});
        let mut hash = |kind: &str, module: &serde_json::Value| {
            let mut event = event(kind, module);
            let added = loaded.see_with(sysfs.path(), &mut event);
            let hash = event.module.unwrap().sha256;
            (added, hash)
        };
        fs::write(&note, b"GNU\0\xbe\xef").unwrap();
        assert_eq!(hash("taint", &named), (false, None));
        hash("module_load", &load);
        assert_eq!(hash("taint", &named), (true, Some("a".to_owned())));
        // Another build is there under this name: records of its load were lost.
        fs::write(&note, b"GNU\0\xbe\xad").unwrap();
        assert_eq!(hash("taint", &named), (false, None));
        fs::write(&note, b"GNU\0\xbe\xef").unwrap();
        hash("module_unload", &named);
        assert_eq!(hash("taint", &named), (false, None));
    }
}
