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

/// Sets the mask from which the mask watch goes on. Borrowed and not taken: a map that is taken and dropped is gone
/// before its programs are loaded.
pub(super) fn set_last_mask(ebpf: &mut Ebpf, mask: Mask) -> Result<(), Error> {
    let name = "LAST_MASK";
    let map = ebpf
        .map_mut(name)
        .ok_or_else(|| missing(name))
        .map_err(failed(name))?;
    let mut last = Array::try_from(map).map_err(failed(name))?;
    last.set(0, mask.0, 0).map_err(failed(name))
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
