//! The maps of the loaded eBPF object.

use aya::{
    Ebpf,
    maps::{Array, Map, MapError},
};

use super::error::Error;
use crate::event::Mask;

/// Takes a map; the programs that use it keep it alive.
pub(super) fn take<M>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, Error>
where
    M: TryFrom<Map, Error = MapError>,
{
    ebpf.take_map(name)
        .ok_or_else(|| missing(name))
        .and_then(M::try_from)
        .map_err(failed(name))
}

/// Sets the mask from which the mask watch goes on.
pub(super) fn set_last_mask(ebpf: &mut Ebpf, mask: Mask) -> Result<(), Error> {
    set(ebpf, "LAST_MASK", mask.0)
}

/// Tells the hook on `add_taint` whether a trap follows each of its calls.
pub(super) fn set_traps(ebpf: &mut Ebpf, follow: bool) -> Result<(), Error> {
    set(ebpf, "TRAPS", u64::from(follow))
}

/// Sets the only value of an array. Borrowed and not taken: a map that is taken and dropped is gone before its programs are
/// loaded.
fn set(ebpf: &mut Ebpf, name: &'static str, value: u64) -> Result<(), Error> {
    let map = ebpf
        .map_mut(name)
        .ok_or_else(|| missing(name))
        .map_err(failed(name))?;
    let mut array = Array::try_from(map).map_err(failed(name))?;
    array.set(0, value, 0).map_err(failed(name))
}

pub(super) fn failed(name: &'static str) -> impl FnOnce(MapError) -> Error {
    move |error| Error::Map {
        name,
        error: Box::new(error),
    }
}

fn missing(name: &str) -> MapError {
    MapError::InvalidName {
        name: name.to_owned(),
    }
}
