//! tapelog

mod handlers;
