//! Whether a process that has collected tests may be forked, as far as it can be seen without Python's objects.
//!
//! | file | what is in it |
//! |---|---|
//! | [`assigned_name`] | the name to which a statement assigns the result of a call |
//! | [`seeding`] | whether a line seeds a random number generator |

pub mod assigned_name;
pub mod seeding;
