//! The log macros. They check the text against the fields at compile time, evaluate their arguments
//! only when the level is enabled, and hand the stored values to the logger's face.

/// Logs at DEBUG; see [`info!`](crate::info).
#[macro_export]
macro_rules! debug { ($($call:tt)+) => { $crate::__log!((Debug, false, drop) $($call)+) } }

/// Logs at INFO.
///
/// The logger comes first: a [`MetaLogger`](crate::MetaLogger), a
/// [`Producer`](crate::Producer), or what [`Producer::with`](crate::Producer::with) gives. Then
/// options, the text, and fields:
///
/// ```
/// # let (log, _capture) = tapelog::testing::capture();
/// # let (qty, px, order, ack) = (0.5, 70_010.0, "O-9", Some(3));
/// use tapelog::info;
///
/// info!(log, "bar closed", open = 70_000.5, close = 70_010.0);
/// info!(log, at: tapelog::now(), "filled {qty} @ {price}", qty, price = px, id = %order, raw = ?ack);
/// info!(log, every_n: 100, "still here");
/// ```
///
/// | field | stored |
/// |---|---|
/// | `name = value` | the value of a type that implements [`LogValue`](crate::LogValue) |
/// | `name` | the variable of that name |
/// | `name = %value`, `%name` | what `Display` makes of it, formatted here, at most 4 KiB |
/// | `name = ?value`, `?name` | what `Debug` makes of it |
/// | `"any name" = value`, `r#type = value` | under that name |
/// | `error = &err` | an error and its chain of sources, as a list: up to 16 of them, 4 KiB in all |
///
/// | option | meaning |
/// |---|---|
/// | `at: stamp` | the time of the event, [`Ticks`](crate::Ticks) or [`UnixNanos`](crate::UnixNanos): saves reading the clock |
/// | `every: duration` | at most one entry in so much time from this call site |
/// | `every_n: n` | the first of every `n` calls of this site |
///
/// `{name}` in the text shows that field's value; `{{` is a brace. The macro is `()`: a record that
/// is refused is counted, and told by a `logger.gap` entry. Use [`try_info!`](crate::try_info) to learn of it at once.
#[macro_export]
macro_rules! info { ($($call:tt)+) => { $crate::__log!((Info, false, drop) $($call)+) } }

/// Logs at WARNING; see [`info!`](crate::info).
#[macro_export]
macro_rules! warning { ($($call:tt)+) => { $crate::__log!((Warning, false, drop) $($call)+) } }

/// Another name of [`warning!`](crate::warning).
#[macro_export]
macro_rules! warn { ($($call:tt)+) => { $crate::__log!((Warning, false, drop) $($call)+) } }

/// Logs at ERROR; see [`info!`](crate::info). The entry goes to `errors.log`, too.
#[macro_export]
macro_rules! error { ($($call:tt)+) => { $crate::__log!((Error, false, drop) $($call)+) } }

/// Logs at CRITICAL; see [`info!`](crate::info). The entry goes to `errors.log`, too.
#[macro_export]
macro_rules! critical { ($($call:tt)+) => { $crate::__log!((Critical, false, drop) $($call)+) } }

/// Logs a trade event at INFO: it goes to `trades.log`, too; see [`info!`](crate::info).
#[macro_export]
macro_rules! trade { ($($call:tt)+) => { $crate::__log!((Info, true, drop) $($call)+) } }

/// Like [`debug!`](crate::debug), but tells whether the record was accepted.
#[macro_export]
macro_rules! try_debug { ($($call:tt)+) => { $crate::__log!((Debug, false, keep) $($call)+) } }

/// Like [`info!`](crate::info), but tells whether the record was accepted:
/// `Result<(), `[`PushError`](crate::PushError)`>`. A disabled level is `Ok`.
#[macro_export]
macro_rules! try_info { ($($call:tt)+) => { $crate::__log!((Info, false, keep) $($call)+) } }

/// Like [`warning!`](crate::warning), but tells whether the record was accepted.
#[macro_export]
macro_rules! try_warning { ($($call:tt)+) => { $crate::__log!((Warning, false, keep) $($call)+) } }

/// Like [`error!`](crate::error), but tells whether the record was accepted.
#[macro_export]
macro_rules! try_error { ($($call:tt)+) => { $crate::__log!((Error, false, keep) $($call)+) } }

/// Like [`critical!`](crate::critical), but tells whether the record was accepted.
#[macro_export]
macro_rules! try_critical { ($($call:tt)+) => { $crate::__log!((Critical, false, keep) $($call)+) } }

/// Like [`trade!`](crate::trade), but tells whether the record was accepted.
#[macro_export]
macro_rules! try_trade { ($($call:tt)+) => { $crate::__log!((Info, true, keep) $($call)+) } }

/// Whether an entry of this level would be kept: `enabled!(log, Level::Debug)`. Never below
/// `TAPELOG_STATIC_LEVEL`.
#[macro_export]
macro_rules! enabled {
    ($log:expr, $level:expr $(,)?) => {{
        let level = $level;
        $crate::__private::compiled_in(level)
            && $crate::__private::Face::enabled(&$log, level, false)
    }};
}

/// Named values to bind to a logger: `log.bind(context! { symbol = "BTCUSDT", size = 3 })`.
///
/// Fields are written as in [`info!`](crate::info).
#[macro_export]
macro_rules! context {
    ($($fields:tt)*) => {
        $crate::__fields!((context) [] [()] $($fields)*)
    };
}

/// Reads the options, then the text. State: `(level, trade, what to do with the result)` and
/// `{options}`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($call:tt $log:expr, $($rest:tt)+) => {
        $crate::__options!($call ($log) [none] [none] $($rest)+)
    };
    ($call:tt $($rest:tt)*) => {
        ::core::compile_error!("a log call needs a logger and a text: info!(log, \"text\", name = value)")
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __options {
    ($call:tt $log:tt [none] $limit:tt at: $at:expr, $($rest:tt)+) => {
        $crate::__options!($call $log [at $at] $limit $($rest)+)
    };
    ($call:tt $log:tt $at:tt [none] every: $every:expr, $($rest:tt)+) => {
        $crate::__options!($call $log $at [every $every] $($rest)+)
    };
    ($call:tt $log:tt $at:tt [none] every_n: $n:expr, $($rest:tt)+) => {
        $crate::__options!($call $log $at [every_n $n] $($rest)+)
    };
    ($call:tt $log:tt $at:tt $limit:tt $text:literal $(, $($fields:tt)*)?) => {
        $crate::__fields!(($call $log $at $limit $text) [] [()] $($($fields)*)?)
    };
    ($call:tt $log:tt $at:tt $limit:tt $option:ident: $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($option), ":` is no option, or stands twice: the options are \
             `at:`, and one of `every:` and `every_n:`; fields are `name = value` behind the text"
        ))
    };
    ($call:tt $log:tt $at:tt $limit:tt $($rest:tt)*) => {
        ::core::compile_error!(
            "the text of a log call must be a string literal: info!(log, \"text\", name = value)"
        )
    };
}

/// Reads fields into `[names]` and the nested values.
#[doc(hidden)]
#[macro_export]
macro_rules! __fields {
    ($then:tt [$($names:tt)*] [$values:expr] $(,)?) => {
        $crate::__emit!($then [$($names)*] [$values])
    };
    ($then:tt [$($names:tt)*] [$values:expr] % $name:ident $(, $($rest:tt)*)?) => {
        $crate::__fields!($then [$($names)* ::core::stringify!($name),]
            [($values, $crate::__private::stored(&$crate::__private::Text::display(&$name)))]
            $($($rest)*)?)
    };
    ($then:tt [$($names:tt)*] [$values:expr] ? $name:ident $(, $($rest:tt)*)?) => {
        $crate::__fields!($then [$($names)* ::core::stringify!($name),]
            [($values, $crate::__private::stored(&$crate::__private::Text::debug(&$name)))]
            $($($rest)*)?)
    };
    ($then:tt $names:tt $values:tt $name:ident = $($rest:tt)+) => {
        $crate::__value!($then $names $values (::core::stringify!($name)) ($name) $($rest)+)
    };
    ($then:tt $names:tt $values:tt $name:literal = $($rest:tt)+) => {
        $crate::__value!($then $names $values ($name) ($name) $($rest)+)
    };
    ($then:tt [$($names:tt)*] [$values:expr] $name:ident $(, $($rest:tt)*)?) => {
        $crate::__fields!($then [$($names)* ::core::stringify!($name),]
            [($values, $crate::__private::stored(&$name))]
            $($($rest)*)?)
    };
    ($then:tt $names:tt $values:tt $name:ident: $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "write `", ::core::stringify!($name), " = value`: options with a colon stand before \
             the text, fields with `=` behind it"
        ))
    };
    ($then:tt $names:tt $values:tt $($rest:tt)+) => {
        ::core::compile_error!(::core::concat!(
            "this is no field: `", ::core::stringify!($($rest)+), "`; fields are `name = value`, \
             `name = %value`, `name = ?value`, or the name of a variable"
        ))
    };
}

/// Reads one value behind `name =`.
#[doc(hidden)]
#[macro_export]
macro_rules! __value {
    ($then:tt [$($names:tt)*] [$values:expr] ($text:expr) $name:tt
     % $value:expr $(, $($rest:tt)*)?) => {
        $crate::__fields!($then [$($names)* $text,]
            [($values, $crate::__private::stored(&$crate::__private::Text::display(&$value)))]
            $($($rest)*)?)
    };
    ($then:tt [$($names:tt)*] [$values:expr] ($text:expr) $name:tt
     ? $value:expr $(, $($rest:tt)*)?) => {
        $crate::__fields!($then [$($names)* $text,]
            [($values, $crate::__private::stored(&$crate::__private::Text::debug(&$value)))]
            $($($rest)*)?)
    };
    ($then:tt $names:tt $values:tt ($text:expr) (error) & $value:expr $(, $($rest:tt)*)?) => {
        $crate::__value!($then $names $values ($text) (an error) $value $(, $($rest)*)?)
    };
    ($then:tt $names:tt $values:tt ($text:expr) (error) $value:expr $(, $($rest:tt)*)?) => {
        $crate::__value!($then $names $values ($text) (an error) $value $(, $($rest)*)?)
    };
    ($then:tt [$($names:tt)*] [$values:expr] ($text:expr) (an error)
     $value:expr $(, $($rest:tt)*)?) => {
        $crate::__fields!($then [$($names)* $text,]
            [($values, $crate::__private::stored(&{
                #[allow(unused_imports)]
                use $crate::__private::{
                    PickAsError as _, PickError as _, PickErrorRef as _, PickHeld as _,
                    PickValue as _,
                };
                (&&&&&$crate::__private::Pick(&$value)).pick()
            }))]
            $($($rest)*)?)
    };
    ($then:tt [$($names:tt)*] [$values:expr] ($text:expr) $name:tt
     $value:expr $(, $($rest:tt)*)?) => {
        $crate::__fields!($then [$($names)* $text,]
            [($values, $crate::__private::stored(&$value))]
            $($($rest)*)?)
    };
}

/// The end of a log call or of a context: everything is known.
#[doc(hidden)]
#[macro_export]
macro_rules! __emit {
    ((context) [$($names:tt)*] [$values:expr]) => {{
        const __TAPELOG_NAMES: &[&str] = &[$($names)*];
        const _: () = $crate::__private::check_names(__TAPELOG_NAMES);
        match $values {
            values => $crate::Context::from_fields(__TAPELOG_NAMES, &values),
        }
    }};
    ((($level:ident, $trade:tt, $result:tt) ($log:expr) $at:tt $limit:tt $text:literal)
     [$($names:tt)*] [$values:expr]) => {{
        const __TAPELOG_NAMES: &[&str] = &[$($names)*];
        const _: () = $crate::__private::check_names(__TAPELOG_NAMES);
        const _: () = $crate::__private::check_text($text, __TAPELOG_NAMES);
        const __TAPELOG_TRADE: bool = $trade;
        // A field `category` may make it a trade event: then the more generous level gates it.
        const __TAPELOG_GATED_AS_TRADE: bool = $crate::__private::may_be_trade(__TAPELOG_TRADE, __TAPELOG_NAMES);
        static __TAPELOG_SITE: $crate::__private::Site = $crate::__private::Site::new(
            $crate::Level::$level,
            __TAPELOG_TRADE,
            $text,
            (::core::module_path!(), ::core::file!(), ::core::line!()),
            __TAPELOG_NAMES,
        );
        let log = &$log;
        let enabled = $crate::__private::compiled_in($crate::Level::$level)
            && $crate::__private::Face::enabled(log, $crate::Level::$level, __TAPELOG_GATED_AS_TRADE);
        $crate::__result!($result if enabled && $crate::__limit!(log $limit) {
            // The stamp is taken before the values are formatted: it tells when it happened.
            let stamp = $crate::__stamp!($at);
            match $values {
                values => $crate::__private::Face::submit(
                    log,
                    $crate::__private::Call { site: &__TAPELOG_SITE, stamp },
                    values,
                ),
            }
        } else {
            ::core::result::Result::Ok(())
        })
    }};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __result {
    (drop $result:expr) => {{
        // A refused record is counted by the logger and told by a gap entry.
        let _counted: ::core::result::Result<(), $crate::PushError> = $result;
    }};
    (keep $result:expr) => {
        $result
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __stamp {
    ([none]) => {
        $crate::__private::Stamp::own()
    };
    ([at $at:expr]) => {
        $crate::__private::Stamp::from($at)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __limit {
    ($log:ident [none]) => {
        true
    };
    ($log:ident [every $every:expr]) => {{
        static __TAPELOG_LIMIT: $crate::__private::Every = $crate::__private::Every::new();
        __TAPELOG_LIMIT.passes($crate::__private::Face::ticks_in($log, $every))
    }};
    ($log:ident [every_n $n:expr]) => {{
        static __TAPELOG_LIMIT: $crate::__private::EveryN = $crate::__private::EveryN::new();
        __TAPELOG_LIMIT.passes($n)
    }};
}
