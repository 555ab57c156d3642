//! What the machine still knows of those whom an event names: tasks, modules, files.

pub mod module_file;
pub mod modules;
pub mod task;
