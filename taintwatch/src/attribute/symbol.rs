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

    /// `function+0xoffset/0xsize [module]` (`%pS`), with the function's size.
    ///
    /// From the right: a module's author chooses the bytes of its symbols, and of its name, and may imitate all of this. Only
    /// what the kernel itself adds at the end is taken for its word; whether the address lies in that module is for
    /// [`super::addresses::Addresses`] to say.
    #[must_use]
    pub fn parse(text: &str) -> Option<(Self, u64)> {
        let (place, module) = match text.strip_suffix(']') {
            Some(text) => text
                .rsplit_once(" [")
                .map(|(place, name)| (place, Some(name)))?,
            None => (text, None),
        };
        let (function, numbers) = place.rsplit_once("+0x")?;
        let (offset, size) = numbers.split_once("/0x")?;
        let [offset, size] = [hexadecimal(offset)?, hexadecimal(size)?];
        let is_whole = !function.is_empty() && offset <= size;
        is_whole.then(|| (Self::new(function, offset, module), size))
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

    /// How far behind the function's first address.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The same function at another offset.
    pub(super) fn at(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// The symbol of the byte behind.
    pub(super) fn next_byte(mut self) -> Option<Self> {
        self.offset = self.offset.checked_add(1)?;
        Some(self)
    }
}

/// Digits alone: the parser of numbers would take a sign.
fn hexadecimal(digits: &str) -> Option<u64> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| is_number)
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
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Option<(Symbol, u64)> {
        Symbol::parse(text)
    }

    #[test]
    fn parses_what_the_kernel_prints() {
        assert_eq!(
            parsed("load_module+0x6ff/0x2190"),
            Some((Symbol::new("load_module", 0x6ff, None), 0x2190))
        );
        assert_eq!(
            parsed("init+0x1f/0xfe0 [tw_gpl]"),
            Some((Symbol::new("init", 0x1f, Some("tw_gpl")), 0xfe0))
        );
        for text in [
            "0xffffffffc0000000",
            "",
            "+0x1/0x2",
            "f+0x3/0x2",
            "f+0x+1/0x2",
            "f+0x1/0x2 [m",
            "f+0x1/0x2 m]",
        ] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_symbol_that_imitates_another_module_is_its_own_modules() {
        for function in [
            "nv_open+0x1/0x2 [nvidia x",
            "a [nvidia]",
            "f+0x1/0x2 [nvidia]\ng",
        ] {
            let (symbol, _) = parsed(&format!("{function}+0x10/0x20 [rk]")).unwrap();
            assert_eq!(symbol.module(), Some("rk"), "{function}");
            assert_eq!(symbol.function, function);
        }
        // A name is one, whatever it holds.
        let (symbol, _) = parsed("f+0x1/0x2 [nvidia x]").unwrap();
        assert_eq!(symbol.module(), Some("nvidia x"));
    }

    proptest! {
        #[test]
        fn a_symbol_of_any_bytes_is_taken_whole(function in ".+", module in "[^ ]{1,55}", offset: u32, more: u32) {
            let size = u64::from(offset) + u64::from(more);
            let text = format!("{function}+{offset:#x}/{size:#x} [{module}]");
            let expected = Symbol::new(&function, u64::from(offset), Some(&module));
            prop_assert_eq!(Symbol::parse(&text), Some((expected, size)));
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            _ = Symbol::parse(&text);
        }
    }
}
