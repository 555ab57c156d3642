//! Which module it was.

use serde::{Deserialize, Serialize};

/// A kernel module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srcversion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The signer, as the file's signature names it; no proof that the kernel trusts the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// `none`, or `appended` to the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The file that the kernel opened, in its mount namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `file`, or `memory`: then no file is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether the file is still the loaded one: `as loaded`, or why nothing of its content is reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_state: Option<String>,
    /// Of the file, packed as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// For a module from memory: the file that `modinfo` would name. A guess by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// The module's own flags as letters, `POE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taints: Option<String>,
    /// The load succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loaded: Option<bool>,
    /// Its code runs, and it is in no list of modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
    /// Why a load failed: `ENOENT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
}
