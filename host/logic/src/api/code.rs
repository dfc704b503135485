//! The codes that the host itself gives to answers. Modules have their own besides.

/// A call succeeded.
pub(crate) const SUCCESS: i32 = 200;
/// There is no such method.
pub(crate) const NOT_IMPLEMENTED: i32 = 300;
/// A call has no outcome.
pub(crate) const FAILURE: i32 = 500;
/// A parameter is not what was expected.
pub(crate) const PARAMETER: i32 = 600;
/// An error without a code of its own.
pub(crate) const OTHER: i32 = 700;
