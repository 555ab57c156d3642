//! What only a file system can answer.
//!
//! In: a path, with what the kernel recorded of it. Out: what is there now. Each may take for ever: a thread asks.

use super::{
    ReadFile, candidate,
    module_file::LoadedFile,
    namespace::{self, Place},
};
use crate::event::Task;

/// A question to a file system.
#[derive(Clone, Debug)]
pub(super) enum Question {
    /// What the file of a load says; without a path it is in memory.
    File {
        read: ReadFile,
        path: Option<String>,
        task: Option<Box<Task>>,
    },
    /// Which installed file has this module's name.
    Installed(String),
    /// Whether this machine has a program's file under the same path.
    Program(String, Place),
}

/// The task is a way to the file, and no part of the question.
impl PartialEq for Question {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { read, .. }, Self::File { read: other, .. }) => read == other,
            (Self::Installed(name), Self::Installed(other)) => name == other,
            (Self::Program(path, place), Self::Program(other, there)) => {
                path == other && place == there
            }
            _ => false,
        }
    }
}

#[derive(Debug)]
pub(super) enum Reply {
    File(LoadedFile),
    Installed(Option<String>),
    /// It is the same file.
    Program(bool),
}

/// Asks the file system, and waits.
pub(super) fn ask(question: &Question) -> Reply {
    match question {
        Question::File { read, path, task } => Reply::File(match path {
            Some(path) => LoadedFile::read(path, read.place, task.as_deref()),
            None => LoadedFile::without_path(),
        }),
        Question::Installed(module) => Reply::Installed(candidate::of(module)),
        Question::Program(path, place) => Reply::Program(namespace::is_here(path, *place)),
    }
}
