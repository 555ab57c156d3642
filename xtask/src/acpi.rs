//! A table that the initial file system gives to ACPI in the firmware's place.
//!
//! Out: QEMU's own WAET, with a newer revision. The kernel takes tables under `kernel/firmware/acpi` of an uncompressed
//! archive that stands first (`Documentation/admin-guide/acpi/initrd_table_override.rst`); one that replaces another
//! taints, one that is merely new does not (`acpi_table_initrd_override`, `drivers/acpi/tables.c`).

/// Where the kernel looks for it.
pub(crate) const PATH: &str = "kernel/firmware/acpi/waet.aml";
/// The length of a header (`struct acpi_table_header`) and of the flags behind it; where the checksum is.
const LENGTH: u8 = 36 + 4;
const CHECKSUM: usize = 9;

/// The table's bytes.
pub(crate) fn table() -> Vec<u8> {
    let mut table = b"WAET".to_vec();
    table.extend([LENGTH, 0, 0, 0, 1, 0]);
    // As QEMU names its tables: the kernel replaces a table of the same maker and name alone.
    table.extend(b"BOCHS BXPC    ");
    table.extend([2, 0, 0, 0]);
    table.extend(b"BXPC");
    table.extend([1, 0, 0, 0]);
    table.extend([2, 0, 0, 0]);
    let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if let Some(checksum) = table.get_mut(CHECKSUM) {
        *checksum = 0_u8.wrapping_sub(sum);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_add_up_to_nothing() {
        let table = table();
        assert_eq!(table.len(), usize::from(table[4]));
        assert_eq!(
            table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)),
            0
        );
    }
}
