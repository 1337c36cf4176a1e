//! What the list of parameters turns into: the model, its layers, the builder's methods.

/// Makes the model of a list of parameters. An entry reads
///
/// ```text
/// /// What it means.
/// key: type = default, form, "what is accepted", "an example", live or restart;
/// ```
///
/// where `form` says how a value is read, shown and bounded, and `live` that it changes while
/// running.
macro_rules! parameters {
    ($($(#[doc = $doc:literal])+ $key:ident: $type:ty = $default:expr,
        $form:expr, $accepted:expr, $example:expr, $change:ident;)*) => {
        /// The effective configuration: a value for every parameter.
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub struct Configuration {
            $($(#[doc = $doc])+ pub $key: $type,)*
            /// Whether `console_level` was left to follow `log_level`.
            pub(crate) console_follows: bool,
            /// Whether `journal_level` was left to follow the other levels.
            pub(crate) journal_follows: bool,
            /// Whether `syslog_level` was left to follow `log_level`.
            pub(crate) syslog_follows: bool,
            /// Where the values came from.
            pub(crate) trail: Trail,
        }

        /// Equal if every parameter has the same value, wherever it came from.
        impl PartialEq for Configuration {
            fn eq(&self, other: &Self) -> bool {
                true $(&& self.$key == other.$key)*
            }
        }

        /// One layer of settings: what is not set is left to the layers below.
        #[derive(Debug, Clone, Default, PartialEq)]
        #[non_exhaustive]
        pub struct Settings {
            $(pub(super) $key: Option<$type>,)*
            /// How single values were given, as far as more is known than the values.
            pub(super) given: Vec<Given>,
            /// What could not be read.
            pub(super) unread: Vec<Unread>,
        }

        impl Settings {
            $($(#[doc = $doc])+
            #[must_use]
            pub fn $key(mut self, value: impl Into<$type>) -> Self {
                self.$key = Some(value.into());
                self.forget(stringify!($key));
                self
            })*

            /// Reads a value from a file, a variable or an argument; what cannot be read is kept
            /// for the error that lists everything.
            pub(super) fn read(&mut self, key: &str, raw: Raw, origin: Option<Origin>) {
                let known = match key {
                    $(stringify!($key) => {
                        Form::<$type>::read(&$form, &raw).map(|value| {
                            self.$key = Some(value);
                            stringify!($key)
                        })
                    })*
                    _ => None,
                };
                match known {
                    Some(key) => {
                        let written = Some(raw.to_string());
                        self.given.push(Given { key, origin, written });
                    }
                    None => self.unread.push(Unread { key: key.to_owned(), raw, origin }),
                }
            }

            /// The values that are set, in the list's order.
            pub(super) fn shown(&self) -> Vec<(&'static str, Raw)> {
                let mut shown = Vec::new();
                $(if let Some(value) = &self.$key {
                    shown.push((stringify!($key), Form::<$type>::show(&$form, value)));
                })*
                shown
            }

            /// Puts the values that are set in the place of those in `below`.
            pub(super) fn lay_over(&self, below: &mut Configuration) {
                $(if let Some(value) = &self.$key {
                    below.$key = value.clone();
                })*
            }
        }

        /// Gives a builder, which holds its own layer in `self.$layer`, a method per parameter.
        macro_rules! parameter_methods {
            ($layer:ident) => {
                $($(#[doc = $doc])+
                pub fn $key(mut self, value: impl Into<$type>) -> Self {
                    self.$layer = self.$layer.$key(value);
                    self
                })*
            };
        }
        pub(crate) use parameter_methods;

        impl Configuration {
            /// Every parameter's built-in default.
            pub(crate) fn built_in() -> Self {
                Self {
                    $($key: $default,)*
                    console_follows: true,
                    journal_follows: true,
                    syslog_follows: true,
                    trail: Trail::default(),
                }
            }

            /// Every value, in the list's order.
            pub(crate) fn shown(&self) -> Vec<(&'static str, Raw)> {
                vec![$((stringify!($key), Form::<$type>::show(&$form, &self.$key)),)*]
            }

            /// The parameters whose values are out of their forms' bounds.
            pub(super) fn out_of_bounds(&self) -> Vec<&'static str> {
                let mut keys = Vec::new();
                $(if !Form::<$type>::fits(&$form, &self.$key) {
                    keys.push(stringify!($key));
                })*
                keys
            }
        }

        /// The list, described.
        pub(super) fn describe() -> Vec<Parameter> {
            vec![$(Parameter {
                key: stringify!($key),
                meaning: concat!($($doc, "\n"),+),
                default: Form::<$type>::show(&$form, &$default).to_string(),
                accepted: $accepted,
                example: $example,
                changeable: changeable::$change,
                shape: Form::<$type>::shape(&$form),
            },)*]
        }
    };
}
pub(super) use parameters;

/// Whether a parameter can change while running.
pub(super) mod changeable {
    #![allow(non_upper_case_globals, reason = "the words of the list of parameters")]

    /// It can.
    pub(crate) const live: bool = true;
    /// It cannot.
    pub(crate) const restart: bool = false;
}
