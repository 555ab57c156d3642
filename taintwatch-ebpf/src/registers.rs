//! Registers of a context.
//!
//! In: a pointer to `pt_regs` of the program's context, names of registers with a number each. Out: their values, one at a
//! time.

/// Hands each value to `$put`, with the number. Each is read by itself: the kernel lets a program read its context at fixed
/// places alone, and a choice among them would become a place that moves.
macro_rules! each {
    ($registers:ident, $put:ident, $($number:literal $name:ident),+) => {
        $({
            // SAFETY: a field of the context.
            let field = unsafe { &raw const (*$registers).$name };
            // SAFETY: as above.
            $put($number, unsafe { field.read_volatile() });
        })+
    };
}
pub(crate) use each;
