//! Symbols as the kernel prints them.
//!
//! In: a line by `%pS`, or a function with an offset. Out: `function+0xoffset [module]`.

use std::fmt;

use crate::kernel::functions::base_name;

/// A function, and a module unless it is the kernel's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    function: String,
    offset: u64,
    module: Option<String>,
}

impl Symbol {
    #[must_use]
    pub fn new(function: &str, offset: u64, module: Option<&str>) -> Self {
        let module = module.map(str::to_owned);
        Self {
            function: function.to_owned(),
            offset,
            module,
        }
    }

    /// `function+0xoffset/0xsize [module]` of the byte before a frame's address (`%pS`).
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (place, module) = match line.split_once(" [") {
            // Newer kernels add a build id behind the name: `[module 1a2b…]`.
            Some((place, module)) => (place, Some(module.strip_suffix(']')?.split(' ').next()?)),
            None => (line, None),
        };
        let (function, offset) = place.rsplit_once("+0x")?;
        let (offset, _size) = offset.split_once("/0x")?;
        let offset = u64::from_str_radix(offset, 16).ok()?;
        Self::new(function, offset, module).next_byte()
    }

    /// The function's name, without the suffixes of parts that the compiler split off.
    #[must_use]
    pub fn function(&self) -> &str {
        base_name(&self.function)
    }

    /// The module; `None` for the kernel itself.
    #[must_use]
    pub fn module(&self) -> Option<&str> {
        self.module.as_deref()
    }

    /// The symbol of the byte behind.
    pub(super) fn next_byte(mut self) -> Option<Self> {
        self.offset = self.offset.checked_add(1)?;
        Some(self)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:#x}", self.function, self.offset)?;
        match &self.module {
            Some(module) => write!(f, " [{module}]"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_the_kernel_prints() {
        assert_eq!(
            Symbol::parse("load_module+0x6ff/0x2190"),
            Some(Symbol::new("load_module", 0x700, None))
        );
        assert_eq!(
            Symbol::parse("init+0x1f/0xfe0 [tw_gpl]"),
            Some(Symbol::new("init", 0x20, Some("tw_gpl")))
        );
        assert_eq!(
            Symbol::parse("init+0x1f/0xfe0 [tw_gpl 1a2b3c]"),
            Some(Symbol::new("init", 0x20, Some("tw_gpl")))
        );
        assert_eq!(Symbol::parse("0xffffffffc0000000"), None);
    }
}
