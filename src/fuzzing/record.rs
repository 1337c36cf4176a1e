//! Records and definitions of any bytes.

use std::sync::{Arc, LazyLock};

use super::{assert_line, take_bytes, take_u16};
use crate::clock::Calibration;
use crate::definition::{ContextDefinition, SiteDefinition};
use crate::entry::Entry;
use crate::formatters::{
    Formatter, Identity, JsonFormatter, LogfmtFormatter, Rfc5424Formatter, TextFormatter,
};
use crate::journal::{Definitions, Screen};
use crate::processors::{Masking, TextScreen};
use crate::record::{
    CUT_BIT, Fields, GAP_SITE, Gap, INLINE, Malformed, RECORD_HEADER_BYTES, RecordHeader, TypeCode,
    UnixNanos, Value,
};

const LINE: Calibration =
    Calibration { ticks: 0, unix_nanos: 0, nanos_per_tick: 1 << 32, stepped: false };

/// The masking of an engine without `mask_keys`; it is dear to make.
static MASKING: LazyLock<Arc<Masking>> = LazyLock::new(|| Arc::new(Masking::new(&[], &[])));

/// One site and one context, whatever is asked for.
struct Known<'a> {
    site: &'a [u8],
    context: &'a [u8],
}

impl Definitions for Known<'_> {
    fn site(&self, _id: u32) -> Option<&[u8]> {
        Some(self.site)
    }

    fn context(&self, _id: u32) -> Option<&[u8]> {
        Some(self.context)
    }
}

/// Decodes a call site, a context and records: each of the first two behind its length, a `u16`.
///
/// What can be decoded is encoded again to the same bytes, is shown as one line in every format, and
/// can be screened for secrets.
///
/// # Panics
/// When something does not hold that must hold of any bytes.
pub fn record(input: &[u8]) {
    let mut rest = input;
    let (Some(site_bytes), Some(context_bytes)) = (take_u16(&mut rest), take_u16(&mut rest)) else {
        return;
    };
    let site_bytes = take_bytes(&mut rest, site_bytes);
    let context_bytes = take_bytes(&mut rest, context_bytes);
    let context = ContextDefinition::decode(context_bytes).ok().map(Arc::new);
    if let Some(context) = &context {
        check_context(context);
    }
    screen(rest, &Known { site: site_bytes, context: context_bytes });
    let site = SiteDefinition::decode(site_bytes).ok().map(Arc::new);
    let mut records = rest;
    while let Some(header) = RecordHeader::read(records) {
        let (record, behind) = records.split_at(header.length as usize);
        records = behind;
        let arguments = &record[RECORD_HEADER_BYTES..];
        if header.site == GAP_SITE {
            // Refused or not, it must end.
            let _gap = Gap::read(header.time, arguments);
        } else if let Some(site) = &site {
            check_fields(site, arguments);
            let time = UnixNanos(header.time as i64);
            let context = context.as_ref().filter(|_| header.context != 0);
            show(&Entry { time, site, context, arguments, calibration: LINE });
        }
    }
}

/// Decoded arguments are those that were encoded.
fn check_fields(site: &SiteDefinition, arguments: &[u8]) {
    let mut fields = Fields::new(arguments);
    let mut encoded = Vec::new();
    for field in &site.fields {
        let Ok(value) = fields.next(field.code) else { return };
        put(value, field.code, &mut encoded);
    }
    let decoded = &arguments[..arguments.len() - fields.rest().len()];
    assert!(encoded == decoded, "{encoded:?} instead of {decoded:?}");
}

fn check_context(context: &ContextDefinition) {
    let bytes = context.bytes();
    let fields: Vec<u8> = context.raw_fields().flat_map(|field| field.bytes).copied().collect();
    assert!(fields.is_empty() || fields == bytes[2..], "{fields:?} instead of {bytes:?}");
    for ((name, value), field) in context.iter().zip(context.raw_fields()) {
        assert_eq!(name, field.name);
        let mut stored = Vec::new();
        put(value, field.code(), &mut stored);
        assert!(field.stored().starts_with(&stored));
    }
    if let Some(masked) = MASKING.context(bytes) {
        let Ok(masked) = ContextDefinition::decode(&masked) else { panic!("masked to pieces") };
        assert!(masked.names().eq(context.names()));
    }
}

/// Screening keeps the records' number and lengths, and finds nothing a second time.
fn screen(records: &[u8], known: &Known<'_>) {
    let mut screen = TextScreen::new(Arc::clone(&MASKING));
    let Some(masked) = screen.screen(1, records, known) else { return };
    assert_eq!(masked.len(), records.len());
    let mut at = 0;
    while let Some(header) = RecordHeader::read(&records[at..]) {
        let Some(after) = RecordHeader::read(&masked[at..]) else { panic!("masked to pieces") };
        let identity = |header: RecordHeader| (header.length, header.site, header.context);
        assert_eq!(identity(header), identity(after));
        assert!(header.site != INLINE || header.time == after.time);
        at += header.length as usize;
    }
}

fn show(entry: &Entry<'_>) {
    let identity = || Identity {
        app_name: "bot".to_owned(),
        hostname: "desk7".to_owned(),
        procid: 4711,
        facility: 16,
    };
    let formatters: [Box<dyn Formatter>; 4] = [
        Box::new(TextFormatter::new(false)),
        Box::new(JsonFormatter::new(identity())),
        Box::new(LogfmtFormatter::new()),
        Box::new(Rfc5424Formatter::new(&identity(), 32473)),
    ];
    let mut line = Vec::new();
    for mut formatter in formatters {
        line.clear();
        formatter.line(entry, &mut line);
        assert_line(&line);
    }
}

/// Encodes a value as `docs/format.md` says.
fn put(value: Value<'_>, code: TypeCode, out: &mut Vec<u8>) {
    if code.is_option() {
        out.push((value != Value::None).into());
    }
    let counted = |count: usize, cut: bool| count as u32 | if cut { CUT_BIT } else { 0 };
    match value {
        Value::None => {}
        Value::Bool(flag) => out.push(flag.into()),
        Value::Char(c) => out.extend(u32::from(c).to_le_bytes()),
        Value::Unsigned(number) => {
            let bytes = code.scalar().fixed_bytes().unwrap_or(8);
            out.extend(&number.to_le_bytes()[..bytes]);
        }
        Value::Signed(number) => {
            let bytes = code.scalar().fixed_bytes().unwrap_or(8);
            out.extend(&number.to_le_bytes()[..bytes]);
        }
        Value::U128(number) => out.extend(number.to_le_bytes()),
        Value::I128(number) => out.extend(number.to_le_bytes()),
        Value::F32(number) => out.extend(number.to_le_bytes()),
        Value::F64(number) => out.extend(number.to_le_bytes()),
        Value::Time(time) => out.extend(time.0.to_le_bytes()),
        Value::Ticks(ticks) => out.extend(ticks.0.to_le_bytes()),
        Value::Uuid(bytes) => out.extend(bytes),
        Value::Decimal(number) => {
            out.extend(number.mantissa.to_le_bytes());
            out.push(number.scale);
        }
        Value::Str(text) => {
            out.extend(counted(text.content.len(), text.cut).to_le_bytes());
            out.extend(text.content.as_bytes());
        }
        Value::Bytes(bytes) => {
            out.extend(counted(bytes.content.len(), bytes.cut).to_le_bytes());
            out.extend(bytes.content);
        }
        Value::List(list) => {
            let elements: Result<Vec<Value<'_>>, Malformed> = list.iter().collect();
            let Ok(elements) = elements else { panic!("a list that was decoded once") };
            out.extend(counted(elements.len(), list.is_cut()).to_le_bytes());
            for element in elements {
                put(element, code.scalar(), out);
            }
        }
    }
}
