//! The grammar of RFC 5424, section 6, rule by rule: each function is named after its rule. What
//! the section's prose demands beyond the grammar is checked, too. It knows nothing of how our
//! frames are made.

/// A message taken apart; `None` stands for NILVALUE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) priority: u8,
    pub(crate) timestamp: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) app_name: Option<String>,
    pub(crate) procid: Option<String>,
    pub(crate) msgid: Option<String>,
    pub(crate) elements: Vec<Element>,
    /// `None` where even the space in front of it is missing.
    pub(crate) msg: Option<Msg>,
}

/// SD-ELEMENT: its SD-ID, and names and values of its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) id: String,
    pub(crate) params: Vec<(String, String)>,
}

/// MSG: with a byte order mark, or any octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Msg {
    Utf8(String),
    Any(Vec<u8>),
}

/// Takes a whole frame apart.
///
/// # Errors
/// Names the rule that does not hold, and the byte where.
pub(crate) fn syslog_msg(frame: &[u8]) -> Result<Message, String> {
    let mut rest = Rest { frame, at: 0 };
    let message = rest.syslog_msg()?;
    rest.end()?;
    Ok(message)
}

struct Rest<'a> {
    frame: &'a [u8],
    at: usize,
}

type Parsed<T> = Result<T, String>;

impl<'a> Rest<'a> {
    fn fails<T>(&self, rule: &str) -> Parsed<T> {
        Err(format!("{rule} at byte {}", self.at))
    }

    fn demand(&self, holds: bool, rule: &str) -> Parsed<()> {
        if holds { Ok(()) } else { self.fails(rule) }
    }

    fn peek(&self) -> Option<u8> {
        self.frame.get(self.at).copied()
    }

    fn octet(&mut self, octet: u8, rule: &str) -> Parsed<()> {
        self.demand(self.peek() == Some(octet), rule)?;
        self.at += 1;
        Ok(())
    }

    fn end(&self) -> Parsed<()> {
        self.demand(self.at == self.frame.len(), "end of SYSLOG-MSG")
    }

    /// `min*max` octets that `belongs` holds for: as many as there are.
    fn run(
        &mut self,
        min: usize,
        max: usize,
        rule: &str,
        belongs: impl Fn(u8) -> bool,
    ) -> Parsed<&'a str> {
        let octets = &self.frame[self.at..];
        let length = octets.iter().take_while(|octet| belongs(**octet)).count();
        self.demand((min..=max).contains(&length), rule)?;
        self.at += length;
        std::str::from_utf8(&octets[..length]).map_err(|_| rule.to_owned())
    }

    /// SYSLOG-MSG = HEADER SP STRUCTURED-DATA [SP MSG]
    fn syslog_msg(&mut self) -> Parsed<Message> {
        let mut message = self.header()?;
        self.octet(b' ', "SP behind HEADER")?;
        message.elements = self.structured_data()?;
        if self.peek() == Some(b' ') {
            self.at += 1;
            message.msg = Some(self.msg()?);
        }
        Ok(message)
    }

    /// HEADER = PRI VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID
    fn header(&mut self) -> Parsed<Message> {
        let priority = self.pri()?;
        self.version()?;
        self.octet(b' ', "SP behind VERSION")?;
        let timestamp = self.timestamp()?;
        let mut names = [const { None }; 4];
        for (name, (max, rule)) in names.iter_mut().zip([
            (255, "HOSTNAME"),
            (48, "APP-NAME"),
            (128, "PROCID"),
            (32, "MSGID"),
        ]) {
            self.octet(b' ', "SP in HEADER")?;
            *name = self.nil_or_printable(max, rule)?;
        }
        let [hostname, app_name, procid, msgid] = names;
        let elements = Vec::new();
        Ok(Message { priority, timestamp, hostname, app_name, procid, msgid, elements, msg: None })
    }

    /// PRI = "<" PRIVAL ">", PRIVAL = 1*3DIGIT, 0 .. 191, without zeros in front
    fn pri(&mut self) -> Parsed<u8> {
        self.octet(b'<', "PRI")?;
        let digits = self.digits(1, 3, "PRIVAL")?;
        self.demand(digits == "0" || !digits.starts_with('0'), "PRIVAL without zeros in front")?;
        let value: u8 = digits.parse().map_err(|_| "PRIVAL at most 191".to_owned())?;
        self.demand(value <= 191, "PRIVAL at most 191")?;
        self.octet(b'>', "PRI")?;
        Ok(value)
    }

    /// VERSION = NONZERO-DIGIT 0*2DIGIT; this is version 1
    fn version(&mut self) -> Parsed<()> {
        let digits = self.digits(1, 3, "VERSION")?;
        self.demand(digits == "1", "VERSION 1")
    }

    /// NILVALUE / 1*max PRINTUSASCII
    fn nil_or_printable(&mut self, max: usize, rule: &str) -> Parsed<Option<String>> {
        let text = self.run(1, max, rule, is_printusascii)?;
        Ok((text != "-").then(|| text.to_owned()))
    }

    fn digits(&mut self, min: usize, max: usize, rule: &str) -> Parsed<&'a str> {
        self.run(min, max, rule, |octet| octet.is_ascii_digit())
    }

    fn number(&mut self, digits: usize, rule: &str) -> Parsed<u32> {
        let text = self.digits(digits, digits, rule)?;
        text.parse().map_err(|_| rule.to_owned())
    }

    /// TIMESTAMP = NILVALUE / FULL-DATE "T" FULL-TIME
    fn timestamp(&mut self) -> Parsed<Option<String>> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
            return Ok(None);
        }
        self.full_date()?;
        self.octet(b'T', "TIMESTAMP: T")?;
        self.full_time()?;
        Ok(Some(String::from_utf8_lossy(&self.frame[start..self.at]).into_owned()))
    }

    /// FULL-DATE = DATE-FULLYEAR "-" DATE-MONTH "-" DATE-MDAY
    fn full_date(&mut self) -> Parsed<()> {
        let year = self.number(4, "DATE-FULLYEAR")?;
        self.octet(b'-', "FULL-DATE")?;
        let month = self.number(2, "DATE-MONTH")?;
        self.octet(b'-', "FULL-DATE")?;
        let day = self.number(2, "DATE-MDAY")?;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return self.fails("DATE-MONTH 01 to 12"),
        };
        self.demand((1..=days).contains(&day), "DATE-MDAY of the month")
    }

    /// FULL-TIME = PARTIAL-TIME TIME-OFFSET
    fn full_time(&mut self) -> Parsed<()> {
        self.hour_and_minute()?;
        self.octet(b':', "PARTIAL-TIME")?;
        let second = self.number(2, "TIME-SECOND")?;
        self.demand(second <= 59, "TIME-SECOND 00 to 59")?;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits(1, 6, "TIME-SECFRAC")?;
        }
        self.time_offset()
    }

    fn hour_and_minute(&mut self) -> Parsed<()> {
        let hour = self.number(2, "TIME-HOUR")?;
        self.demand(hour <= 23, "TIME-HOUR 00 to 23")?;
        self.octet(b':', "PARTIAL-TIME")?;
        let minute = self.number(2, "TIME-MINUTE")?;
        self.demand(minute <= 59, "TIME-MINUTE 00 to 59")
    }

    /// TIME-OFFSET = "Z" / TIME-NUMOFFSET
    fn time_offset(&mut self) -> Parsed<()> {
        let first = self.peek();
        self.demand(matches!(first, Some(b'Z' | b'+' | b'-')), "TIME-OFFSET")?;
        self.at += 1;
        if first == Some(b'Z') { Ok(()) } else { self.hour_and_minute() }
    }

    /// STRUCTURED-DATA = NILVALUE / 1*SD-ELEMENT; no SD-ID stands twice
    fn structured_data(&mut self) -> Parsed<Vec<Element>> {
        let mut elements: Vec<Element> = Vec::new();
        if self.peek() == Some(b'-') {
            self.at += 1;
            return Ok(elements);
        }
        self.demand(self.peek() == Some(b'['), "STRUCTURED-DATA")?;
        while self.peek() == Some(b'[') {
            let element = self.sd_element()?;
            let once = elements.iter().all(|other| other.id != element.id);
            self.demand(once, "SD-ID once in a message")?;
            elements.push(element);
        }
        Ok(elements)
    }

    /// SD-ELEMENT = "[" SD-ID *(SP SD-PARAM) "]"
    fn sd_element(&mut self) -> Parsed<Element> {
        self.octet(b'[', "SD-ELEMENT")?;
        let id = self.sd_name("SD-ID")?;
        self.demand(is_sd_id(&id), "SD-ID registered or name@number")?;
        let mut params = Vec::new();
        while self.peek() == Some(b' ') {
            self.at += 1;
            params.push(self.sd_param()?);
        }
        self.octet(b']', "SD-ELEMENT")?;
        let element = Element { id, params };
        self.demand(is_meta_valid(&element), "parameters of meta (section 7.3)")?;
        Ok(element)
    }

    /// SD-PARAM = PARAM-NAME "=" %d34 PARAM-VALUE %d34
    fn sd_param(&mut self) -> Parsed<(String, String)> {
        let name = self.sd_name("PARAM-NAME")?;
        self.octet(b'=', "SD-PARAM")?;
        self.octet(b'"', "SD-PARAM")?;
        let value = self.param_value()?;
        self.octet(b'"', "SD-PARAM")?;
        Ok((name, value))
    }

    /// SD-NAME = 1*32PRINTUSASCII except '=', SP, ']', '"'
    fn sd_name(&mut self, rule: &str) -> Parsed<String> {
        let allowed = |octet| is_printusascii(octet) && !matches!(octet, b'=' | b']' | b'"');
        self.run(1, 32, rule, allowed).map(str::to_owned)
    }

    /// PARAM-VALUE = UTF-8-STRING; '"', '\' and ']' are escaped, and nothing else is
    fn param_value(&mut self) -> Parsed<String> {
        let mut value = Vec::new();
        loop {
            match self.peek() {
                Some(b'\\') => {
                    self.at += 1;
                    let escaped = self.peek().filter(|octet| b"\"\\]".contains(octet));
                    let Some(escaped) = escaped else { return self.fails("escape") };
                    value.push(escaped);
                }
                Some(b'"') => break,
                Some(b']') => return self.fails("PARAM-VALUE: ] without escape"),
                Some(octet) => value.push(octet),
                None => return self.fails("PARAM-VALUE"),
            }
            self.at += 1;
        }
        String::from_utf8(value).or_else(|_| self.fails("UTF-8-STRING in PARAM-VALUE"))
    }

    /// MSG = MSG-ANY / MSG-UTF8
    fn msg(&mut self) -> Parsed<Msg> {
        let octets = &self.frame[self.at..];
        let msg = match octets.strip_prefix(b"\xef\xbb\xbf") {
            Some(text) => match std::str::from_utf8(text) {
                Ok(text) => Msg::Utf8(text.to_owned()),
                Err(_) => return self.fails("UTF-8-STRING in MSG-UTF8"),
            },
            None => Msg::Any(octets.to_vec()),
        };
        self.at = self.frame.len();
        Ok(msg)
    }
}

/// PRINTUSASCII = %d33-126
fn is_printusascii(octet: u8) -> bool {
    (33..=126).contains(&octet)
}

/// Names without an @ are IANA's (section 9.2); behind an @ stands an enterprise number (7.2.2).
fn is_sd_id(id: &str) -> bool {
    match id.split_once('@') {
        None => ["timeQuality", "origin", "meta"].contains(&id),
        Some((name, number)) => {
            let mut parts = number.split('.');
            !name.is_empty()
                && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        }
    }
}

/// Section 7.3: sequenceId and sysUpTime are numbers.
fn is_meta_valid(element: &Element) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    element.id != "meta"
        || element.params.iter().all(|(name, value)| match &**name {
            "sequenceId" => {
                is_number(value) && value.parse().is_ok_and(|n| (1..=0x7fff_ffff_u32).contains(&n))
            }
            "sysUpTime" => is_number(value),
            "language" => true,
            _ => false,
        })
}
