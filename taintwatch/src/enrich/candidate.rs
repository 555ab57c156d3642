//! The file that a module from memory may be: the one that `modinfo` would name.
//!
//! In: a module's name, `modules.dep` of the running kernel. Out: a path. A guess by name, and shown as one: nothing
//! connects the bytes in memory to that file.

use std::fs;

/// The file of the installed module with this name.
#[must_use]
pub fn of(module: &str) -> Option<String> {
    let release = crate::kernel::identity::release().ok()?;
    let folder = format!("/lib/modules/{release}");
    let index = fs::read_to_string(format!("{folder}/modules.dep")).ok()?;
    let path = find(&index, module)?;
    Some(if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{folder}/{path}")
    })
}

/// `PATH: dependencies`; in names `-` and `_` are the same (kmod, `modname_normalize`).
fn find<'a>(index: &'a str, module: &str) -> Option<&'a str> {
    let paths = index
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(path, _)| path);
    paths.into_iter().find(|path| {
        let file = path.rsplit('/').next().unwrap_or_default();
        let name = file.split_once(".ko").map(|(name, _)| name);
        name.is_some_and(|name| name.replace('-', "_") == module)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_module_by_its_name_in_the_kernel() {
        let index = "kernel/fs/ext4.ko.xz: kernel/lib/crc16.ko\nextra/my-drv.ko:\n/opt/x.ko.zst:\n";
        assert_eq!(find(index, "ext4"), Some("kernel/fs/ext4.ko.xz"));
        assert_eq!(find(index, "my_drv"), Some("extra/my-drv.ko"));
        assert_eq!(find(index, "x"), Some("/opt/x.ko.zst"));
        assert_eq!(
            find(index, "crc16"),
            None,
            "only in the line of a module that needs it"
        );
    }
}
