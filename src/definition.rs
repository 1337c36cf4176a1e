//! Definitions: what a call site and a bound context are, as bytes that stand in the ring's
//! definition area, in the journal's dictionary frames, or inline in a record.
//!
//! ```text
//! site     level u8 │ flags u8 │ fields u16 │ line u32 │ text │ target │ file │ { type u8 │ name }…
//! context  fields u16 │ { type u8 │ name │ value }…
//! ```
//!
//! Text and names are a `u16` length and UTF-8; values are stored as in a record's arguments.

use std::ops::Range;

use smallvec::SmallVec;

use crate::level::{Category, Level};
use crate::record::{Args, Fields, Malformed, Sink, TypeCode, Value};

/// A definition while it is built: on the stack unless it is unusually long.
pub(crate) type DefinitionBytes = SmallVec<[u8; 512]>;

/// Bytes that a text inside a definition may take; what is longer is cut.
const TEXT_BYTES_MAX: usize = 1024;

/// Strings bound in a context are cut to this many bytes.
const CONTEXT_VALUE_BYTES_MAX: usize = 512;

/// The flag of a site whose entries are trade events.
const TRADE: u8 = 1;

/// The flag of a site whose last two fields are a backtrace: return addresses and modules.
const BACKTRACE: u8 = 2;

/// The field that says whether an entry is a trade event.
pub(crate) const CATEGORY: &str = "category";

/// What a call site looks like before it is encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SiteSpec<'a> {
    pub(crate) level: Level,
    pub(crate) trade: bool,
    pub(crate) line: u32,
    pub(crate) text: &'a str,
    pub(crate) target: &'a str,
    pub(crate) file: &'a str,
    pub(crate) fields: &'a [&'a str],
}

impl SiteSpec<'_> {
    /// The definition's bytes; `types` tells the type of each field.
    pub(crate) fn encode(&self, types: fn(&mut dyn FnMut(TypeCode))) -> DefinitionBytes {
        self.encode_with(types)
    }

    /// The same with types that are known at run time.
    pub(crate) fn encode_with(
        &self,
        types: impl FnOnce(&mut dyn FnMut(TypeCode)),
    ) -> DefinitionBytes {
        let mut out = DefinitionBytes::new();
        let flags = if self.trade { TRADE } else { 0 };
        out.extend_from_slice(&[self.level as u8, flags]);
        out.extend_from_slice(&(self.fields.len() as u16).to_le_bytes());
        out.extend_from_slice(&self.line.to_le_bytes());
        for text in [self.text, self.target, self.file] {
            put_text(&mut out, text);
        }
        let mut names = self.fields.iter();
        types(&mut |code| {
            out.push(code.0);
            put_text(&mut out, strip_raw(names.next().copied().unwrap_or_default()));
        });
        out
    }
}

/// Marks the last two fields of an encoded site as a backtrace.
pub(crate) fn mark_backtrace(site: &mut DefinitionBytes) {
    if let Some(flags) = site.get_mut(1) {
        *flags |= BACKTRACE;
    }
}

/// Whether the last two fields can be a backtrace.
fn ends_with_backtrace(fields: &[Field]) -> bool {
    let list = |scalar: TypeCode| TypeCode(scalar.0 | TypeCode::LIST);
    matches!(fields, [.., frames, modules]
        if frames.code == list(TypeCode::U64) && modules.code == list(TypeCode::STR))
}

/// The name behind `r#`, which a field called like a keyword is written with.
pub(crate) fn strip_raw(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

fn put_text(out: &mut DefinitionBytes, text: &str) {
    let kept = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    out.extend_from_slice(&(kept.len() as u16).to_le_bytes());
    out.extend_from_slice(kept.as_bytes());
}

/// A decoded field of a site or a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// The field's name.
    pub name: Box<str>,
    /// The stored type of its values.
    pub code: TypeCode,
}

/// A part of an event's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text as it stands.
    Text(Box<str>),
    /// The value of the field with this index.
    Field(usize),
}

/// A decoded call site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SiteDefinition {
    /// The level of its entries.
    pub level: Level,
    /// Whether its entries are trade events whatever their fields say.
    pub trade: bool,
    /// The line of the call in its file.
    pub line: u32,
    /// The event text as written, placeholders included.
    pub text: Box<str>,
    /// The event text cut at its placeholders.
    pub template: Vec<Piece>,
    /// The module path of the call.
    pub target: Box<str>,
    /// The source file of the call.
    pub file: Box<str>,
    /// The fields given at the call.
    pub fields: Vec<Field>,
    /// Whether one of them is the entry's category.
    pub has_category: bool,
    /// Whether the last two are a backtrace.
    pub has_backtrace: bool,
}

impl SiteDefinition {
    /// Decodes a definition.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are no definition of a call site.
    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let rest = &mut bytes;
        let [level, flags] = take(rest)?;
        let count = u16::from_le_bytes(take(rest)?);
        let line = u32::from_le_bytes(take(rest)?);
        let (text, target, file) = (text(rest)?, text(rest)?, text(rest)?);
        let fields = (0..count)
            .map(|_| {
                let [code] = take(rest)?;
                Ok(Field { code: TypeCode(code), name: self::text(rest)?.into() })
            })
            .collect::<Result<Vec<_>, Malformed>>()?;
        let mut site = Self {
            level: Level::from_code(level).ok_or(Malformed)?,
            trade: flags & TRADE != 0,
            line,
            template: template(text, &fields),
            text: text.into(),
            target: target.into(),
            file: file.into(),
            has_category: false,
            has_backtrace: flags & BACKTRACE != 0 && ends_with_backtrace(&fields),
            fields,
        };
        site.note_category();
        Ok(site)
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        let names = self.fields.iter().map(|field| size_of::<Field>() + field.name.len());
        let texts = 2 * self.text.len() + self.target.len() + self.file.len();
        size_of::<Self>() + texts + names.sum::<usize>() + self.template.len() * size_of::<Piece>()
    }

    /// Notes whether one of the fields is the entry's category.
    pub(crate) fn note_category(&mut self) {
        self.has_category = self.fields.iter().any(|field| &*field.name == CATEGORY);
    }
}

/// A part of an event's text as it stands at the call.
pub(crate) enum Part<'a> {
    /// Text as it is shown.
    Text(&'a str),
    /// The place of the field with this index.
    Field(usize, Range<usize>),
}

/// Cuts an event's text at `{name}`; `{{` and `}}` stand for one brace. A name that no field has
/// stays in the text as it is: macros refuse it, dynamic callers may log anything.
pub(crate) fn cut<'a>(
    text: &'a str,
    field: impl Fn(&str) -> Option<usize>,
    mut part: impl FnMut(Part<'a>),
) {
    let mut at = 0;
    while let Some(found) = text[at..].find(['{', '}']) {
        let brace = at + found;
        part(Part::Text(&text[at..brace]));
        let rest = &text[brace..];
        let name = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let known = name.and_then(|(name, _)| Some((field(name)?, brace + name.len() + 2)));
        at = if rest.starts_with("{{") || rest.starts_with("}}") {
            part(Part::Text(&rest[..1]));
            brace + 2
        } else if let Some((index, end)) = known {
            part(Part::Field(index, brace..end));
            end
        } else {
            part(Part::Text(&rest[..1]));
            brace + 1
        };
    }
    part(Part::Text(&text[at..]));
}

fn template(text: &str, fields: &[Field]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let end = |plain: &mut String, pieces: &mut Vec<Piece>| {
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(plain).into()));
        }
    };
    let field = |name: &str| fields.iter().position(|field| &*field.name == name);
    cut(text, field, |part| match part {
        Part::Text(text) => plain.push_str(text),
        Part::Field(index, _) => {
            end(&mut plain, &mut pieces);
            pieces.push(Piece::Field(index));
        }
    });
    end(&mut plain, &mut pieces);
    pieces
}

/// A decoded context: named values that stand on every entry of a logger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ContextDefinition {
    bytes: Box<[u8]>,
    fields: SmallVec<[(Field, u32); 8]>,
    category: Category,
}

impl ContextDefinition {
    /// Decodes a definition.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are no definition of a context.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut rest = bytes;
        let count = u16::from_le_bytes(take(&mut rest)?);
        let mut fields = SmallVec::new();
        for _ in 0..count {
            let [code] = take(&mut rest)?;
            let name = text(&mut rest)?.into();
            let start = (bytes.len() - rest.len()) as u32;
            let mut values = Fields::new(rest);
            values.next(TypeCode(code))?;
            rest = values.rest();
            fields.push((Field { name, code: TypeCode(code) }, start));
        }
        let mut context = Self { bytes: bytes.into(), fields, category: Category::General };
        let category = context.iter().find(|(name, _)| *name == CATEGORY);
        context.category = category.map_or(Category::General, |(_, value)| category_of(&value));
        Ok(context)
    }

    /// The names and values in the order they were bound.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        self.fields.iter().map(|(field, start)| {
            let value = Fields::new(&self.bytes[*start as usize..]).next(field.code);
            // Decoded once already: it cannot fail here.
            (&*field.name, value.unwrap_or(Value::None))
        })
    }

    /// The names in the order they were bound.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(field, _)| &*field.name)
    }

    /// What entries belong to that do not say it themselves.
    pub(crate) fn category(&self) -> Category {
        self.category
    }

    /// Each field with the bytes that encode it.
    pub(crate) fn raw_fields(&self) -> impl Iterator<Item = RawField<'_>> {
        let starts = self.fields.iter().map(|(field, value)| {
            // type u8, length u16 and the name stand before the value.
            (*value as usize) - 3 - field.name.len()
        });
        let ends = starts.clone().skip(1).chain(std::iter::once(self.bytes.len()));
        self.fields.iter().zip(starts.zip(ends)).map(|((field, _), (start, end))| RawField {
            name: &field.name,
            bytes: &self.bytes[start..end],
        })
    }

    /// Whether one of the values is a reading of the tick counter, or a list of them: what it
    /// shows then depends on a calibration.
    pub(crate) fn has_ticks(&self) -> bool {
        self.fields.iter().any(|(field, _)| field.code.scalar() == TypeCode::TICKS)
    }

    /// The bytes it was decoded from.
    #[must_use]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Where the event's text begins in an encoded site: behind its length, a `u16`.
pub(crate) const SITE_TEXT_OFFSET: usize = 10;

/// The types and names of the fields in an encoded site, up to where it makes no sense. Allocates
/// nothing.
pub(crate) fn site_fields(bytes: &[u8]) -> impl Iterator<Item = (TypeCode, &str)> {
    let mut rest = bytes.get(SITE_TEXT_OFFSET - 2..).unwrap_or_default();
    let sound = (0..3).all(|_| text(&mut rest).is_ok());
    std::iter::from_fn(move || {
        let [code] = take(&mut rest).ok()?;
        text(&mut rest).ok().filter(|_| sound).map(|name| (TypeCode(code), name))
    })
}

/// The fields of an encoded context, up to where it makes no sense. Allocates nothing.
pub(crate) fn context_fields(bytes: &[u8]) -> impl Iterator<Item = RawField<'_>> {
    let mut rest = bytes.get(2..).unwrap_or_default();
    std::iter::from_fn(move || {
        let whole = rest;
        let [code] = take(&mut rest).ok()?;
        let name = text(&mut rest).ok()?;
        let mut values = Fields::new(rest);
        values.next(TypeCode(code)).ok()?;
        rest = values.rest();
        Some(RawField { name, bytes: &whole[..whole.len() - rest.len()] })
    })
}

/// What a field called [`CATEGORY`] says.
pub(crate) fn category_of(value: &Value<'_>) -> Category {
    match value {
        Value::Str(text) if text.content == "trade" && !text.cut => Category::Trade,
        _ => Category::General,
    }
}

/// Leaves out the last fields of an encoded context until it takes at most `bytes_max` bytes.
pub(crate) fn fit_context(bytes: &mut DefinitionBytes, bytes_max: usize) {
    if bytes.len() <= bytes_max {
        return;
    }
    let (mut end, mut count) = (2, 0_u16);
    for field in context_fields(bytes) {
        if end + field.bytes.len() > bytes_max {
            break;
        }
        end += field.bytes.len();
        count += 1;
    }
    bytes.truncate(end);
    bytes[..2].copy_from_slice(&count.to_le_bytes());
}

/// A field of a context in its encoded form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawField<'a> {
    pub(crate) name: &'a str,
    pub(crate) bytes: &'a [u8],
}

impl<'a> RawField<'a> {
    /// The stored type of the value.
    pub(crate) fn code(&self) -> TypeCode {
        TypeCode(self.bytes.first().copied().unwrap_or_default())
    }

    /// The value.
    pub(crate) fn value(&self) -> Value<'a> {
        Fields::new(self.stored()).next(self.code()).unwrap_or(Value::None)
    }

    /// The value in its stored form.
    pub(crate) fn stored(&self) -> &'a [u8] {
        // type u8, length u16 and the name stand before it.
        self.bytes.get(3 + self.name.len()..).unwrap_or_default()
    }
}

/// Appends a field to an encoded context.
pub(crate) fn put_context_field(
    out: &mut DefinitionBytes,
    name: &str,
    code: TypeCode,
    value: &dyn crate::record::Stored,
) {
    out.push(code.0);
    put_text(out, strip_raw(name));
    let start = out.len();
    out.resize(start + value.bytes(CONTEXT_VALUE_BYTES_MAX), 0);
    value.put_stored(&mut Sink::new(&mut out[start..]), CONTEXT_VALUE_BYTES_MAX);
}

/// The bytes of a context with these fields.
pub(crate) fn encode_context(names: &[&str], values: &impl Args) -> DefinitionBytes {
    let mut out = DefinitionBytes::new();
    out.extend_from_slice(&(names.len() as u16).to_le_bytes());
    let mut names = names.iter();
    values.each(&mut |code, value| {
        put_context_field(&mut out, names.next().copied().unwrap_or_default(), code, value);
    });
    out
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(Malformed)?;
    *rest = tail;
    Ok(*head)
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, Malformed> {
    let length = u16::from_le_bytes(take(rest)?) as usize;
    let (head, tail) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = tail;
    std::str::from_utf8(head).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_reads_back_and_its_text_is_cut_at_the_placeholders() {
        let spec = SiteSpec {
            level: Level::Warning,
            trade: true,
            line: 12,
            text: "{{x}} filled {qty} @ {type}{none}",
            target: "bot::risk",
            file: "src/risk.rs",
            fields: &["qty", "r#type"],
        };
        let bytes = spec.encode(<(((), u64), &str) as Args>::types);
        let site = SiteDefinition::decode(&bytes).unwrap();
        assert_eq!((site.level, site.trade, site.line), (Level::Warning, true, 12));
        assert_eq!(&*site.fields[1].name, "type");
        assert_eq!(site.fields[1].code, TypeCode::STR);
        let fields: Vec<_> = site_fields(&bytes).collect();
        assert_eq!(fields, [(TypeCode::U64, "qty"), (TypeCode::STR, "type")]);
        assert!(bytes[SITE_TEXT_OFFSET..].starts_with(spec.text.as_bytes()));
        assert_eq!(
            site.template,
            [
                Piece::Text("{x} filled ".into()),
                Piece::Field(0),
                Piece::Text(" @ ".into()),
                Piece::Field(1),
                Piece::Text("{none}".into()),
            ]
        );
        for end in 0..bytes.len() {
            assert_eq!(SiteDefinition::decode(&bytes[..end]), Err(Malformed), "cut at {end}");
        }
    }

    #[test]
    fn a_context_reads_back_in_the_order_it_was_bound() {
        let bytes = encode_context(&["symbol", "strategy_id"], &(((), "BTCUSDT"), 7_u32));
        let context = ContextDefinition::decode(&bytes).unwrap();
        let fields: Vec<_> = context.iter().collect();
        let expected = [("symbol", Value::from("BTCUSDT")), ("strategy_id", Value::Unsigned(7))];
        assert_eq!(fields, expected);
        assert_eq!(ContextDefinition::decode(&bytes[..bytes.len() - 1]), Err(Malformed));
    }
}
