//! Which module it was.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kernel module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Module {
    /// As the kernel names it, with `_` and never `-`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `MODULE_VERSION`, where the module has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The checksum of the sources that modpost writes into modules with a version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srcversion: Option<String>,
    /// The GNU build id, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// `MODULE_LICENSE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The issuer that the file's signature names. No proof that the kernel trusts the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Whether the file has a signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["none", "appended"]))]
    pub signature: Option<String>,
    /// The file that the kernel opened, in its mount namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The number of the mount namespace that `path` is in, as `lsns` shows it, where that is not the machine's own, as
    /// in a container: the path may be another file outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_namespace: Option<u32>,
    /// Where the kernel got it from. With `memory` no file is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["file", "memory"]))]
    pub source: Option<String>,
    /// `as loaded`: the file is the one that was loaded. Else why nothing is known of its content, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_state: Option<String>,
    /// Of the file as it is on disk, compressed or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: Option<String>,
    /// For a module from memory: the installed file with its name, as `modinfo -n` finds it. A guess by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// The module's own flags as letters: `POE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taints: Option<String>,
    /// Whether the load succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loaded: Option<bool>,
    /// Its code runs, and no list of modules has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
    /// How often this task has tried to load it, where that is more than once: busybox's `insmod` calls `init_module` when
    /// `finit_module` failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Why a load failed: `ENOENT`. A number that has no name stays a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
}

impl Module {
    /// Its file, with the mount namespace that the path is in where that is not the machine's own.
    #[must_use]
    pub fn path_and_namespace(&self) -> Option<String> {
        let path = self.path.as_ref()?;
        Some(match self.mount_namespace {
            Some(namespace) => format!("{path} in the mount namespace {namespace}"),
            None => path.clone(),
        })
    }
}
