//! Fetches and builds what guests need, while something else is done.
//!
//! In: the kernels that will be booted. Out: a full cache. An error is reported where the missing part is needed.

use crate::{image, journal, kernels, modules};

/// Kernels and the systems beside them first, since the network does that; then the test modules.
pub(crate) fn guests((series, systemd): &(Vec<&str>, bool)) {
    let kernels: Vec<_> = series
        .iter()
        .filter_map(|series| kernels::get(series).ok())
        .collect();
    let fetched = kernels
        .iter()
        .filter(|kernel| kernel.has_headers)
        .all(|kernel| kernels::headers(kernel).is_ok());
    let has_all = fetched
        && image::busybox().is_ok()
        && (!systemd || journal::root().is_ok())
        && kernels
            .iter()
            .filter(|kernel| kernel.has_headers)
            .all(|kernel| modules::get(kernel).is_ok());
    if !has_all {
        eprintln!(
            "note: not everything could be fetched ahead; the part that needs it reports why"
        );
    }
}
