//! tapelog
