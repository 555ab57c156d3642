//! The kernel's list of loaded modules.
//!
//! In: `/proc/modules`. Out: names and addresses.

const MODULES: &str = "/proc/modules";

/// Whether the kernel lists a module; `None` when its list cannot be read.
#[must_use]
pub fn is_listed(module: &str) -> Option<bool> {
    let list = std::fs::read(MODULES).ok()?;
    Some(
        list.split(|byte| *byte == b'\n')
            .any(|line| line.split(|byte| *byte == b' ').next() == Some(module.as_bytes())),
    )
}

/// The names of the modules that the kernel lists; none when its list cannot be read.
#[must_use]
pub fn names() -> Vec<String> {
    let list = std::fs::read(MODULES).unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    let name = |line: &str| line.split(' ').next().map(str::to_owned);
    list.lines().filter_map(name).collect()
}

/// Loaded modules, and where their code and data lie. One piece each up to 6.3; newer kernels give
/// the start of the code, and the size of all pieces.
#[must_use]
pub fn loaded_modules() -> Vec<(String, std::ops::Range<u64>)> {
    let list = std::fs::read(MODULES).unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    let parse = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let size: u64 = words.get(1)?.parse().ok()?;
        let start = u64::from_str_radix(words.get(5)?.strip_prefix("0x")?, 16).ok()?;
        Some((
            (*words.first()?).to_owned(),
            start..start.checked_add(size)?,
        ))
        .filter(|_| start != 0)
    };
    list.lines().filter_map(parse).collect()
}
