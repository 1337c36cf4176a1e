//! Where syslog messages go: the key `syslog`.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

/// What is said of a value that is none of them.
pub(super) const ACCEPTED: &str =
    "udp://host:port (port 514 if left out), tcp://host:port (601), unix:/dev/log, or nothing";

/// The longest path of a unix socket.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// A receiver of syslog messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SyslogTarget {
    /// A message in each datagram (RFC 5426).
    Udp { host: String, port: u16 },
    /// A stream with octet counting (RFC 6587, section 3.4.1).
    Tcp { host: String, port: u16 },
    /// A socket of this machine, of datagrams or of lines.
    Unix(PathBuf),
}

impl SyslogTarget {
    /// Reads `udp://host:port`, `tcp://host:port` or `unix:/path`. The host is a name, an address,
    /// or an IPv6 address in brackets.
    ///
    /// # Errors
    /// What is wrong, and what would be accepted.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let wrong = |reason: &str| Err(format!("{ACCEPTED}; {reason}"));
        let Some((scheme, rest)) = url.split_once(':') else {
            return wrong("there is no `udp://`, `tcp://` or `unix:` in front");
        };
        let network = |port| {
            let rest = rest.strip_prefix("//").ok_or(format!("`//` is missing behind `{scheme}:`"));
            rest.and_then(|rest| host_and_port(rest, port))
        };
        let parsed = match scheme {
            "udp" => network(514).map(|(host, port)| Self::Udp { host, port }),
            "tcp" => network(601).map(|(host, port)| Self::Tcp { host, port }),
            "unix" => socket_path(rest).map(Self::Unix),
            _ => Err(format!("`{scheme}` is none of these transports")),
        };
        parsed.or_else(|reason| wrong(&reason))
    }
}

fn host_and_port(text: &str, default_port: u16) -> Result<(String, u16), String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) =
                rest.split_once(']').ok_or("the `]` of the IPv6 address is missing")?;
            let port = match port.strip_prefix(':') {
                Some(port) => Some(port),
                None if port.is_empty() => None,
                None => return Err(format!("`{port}` behind the `]` is no port")),
            };
            let address = host.split('%').next().unwrap_or(host);
            address.parse::<Ipv6Addr>().map_err(|_| format!("`{host}` is no IPv6 address"))?;
            (host, port)
        }
        None => match text.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("an IPv6 address stands in brackets: `[::1]:514`".to_owned());
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if !text.starts_with('[') && (host.is_empty() || !host.bytes().all(named)) {
        return Err(format!("`{host}` is no host's name or address"));
    }
    let port = match port {
        None => default_port,
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => port,
            _ => return Err(format!("`{port}` is no port: 1 to 65535")),
        },
    };
    Ok((host.to_owned(), port))
}

fn socket_path(rest: &str) -> Result<PathBuf, String> {
    // `unix:/dev/log` and `unix:///dev/log` are the same.
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if !Path::new(path).is_absolute() {
        return Err("the socket's path begins with `/`".to_owned());
    }
    if path.len() > SOCKET_PATH_BYTES_MAX || path.contains('\0') {
        return Err(format!("a socket's path has at most {SOCKET_PATH_BYTES_MAX} bytes"));
    }
    Ok(PathBuf::from(path))
}

impl fmt::Display for SyslogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let network = |f: &mut fmt::Formatter<'_>, scheme, host: &str, port| match host {
            host if host.contains(':') => write!(f, "{scheme}://[{host}]:{port}"),
            host => write!(f, "{scheme}://{host}:{port}"),
        };
        match self {
            Self::Udp { host, port } => network(f, "udp", host, port),
            Self::Tcp { host, port } => network(f, "tcp", host, port),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        SyslogTarget::parse(url).unwrap_or_else(|error| panic!("{url}: {error}")).to_string()
    }

    #[test]
    fn a_port_that_is_left_out_is_the_transports_own() {
        assert_eq!(shown("udp://collector"), "udp://collector:514");
        assert_eq!(shown("tcp://10.0.0.7"), "tcp://10.0.0.7:601");
        assert_eq!(shown("udp://collector.example:5514/"), "udp://collector.example:5514");
        assert_eq!(shown("tcp://[::1]"), "tcp://[::1]:601");
        assert_eq!(shown("udp://[fe80::1%eth0]:1514"), "udp://[fe80::1%eth0]:1514");
        assert_eq!(shown("unix:/dev/log"), "unix:/dev/log");
        assert_eq!(shown("unix:///dev/log"), "unix:/dev/log");
    }

    #[test]
    fn a_wrong_url_is_refused_with_what_is_wrong_and_what_is_accepted() {
        let long = format!("unix:/{}", "x".repeat(SOCKET_PATH_BYTES_MAX));
        for (url, reason) in [
            ("collector", "there is no `udp://`, `tcp://` or `unix:` in front"),
            ("tls://collector", "`tls` is none of these transports"),
            ("udp:collector", "`//` is missing behind `udp:`"),
            ("udp://", "`` is no host's name or address"),
            ("udp://:514", "`` is no host's name or address"),
            ("udp://a b", "`a b` is no host's name or address"),
            ("udp://me@host", "`me@host` is no host's name or address"),
            ("udp://host:0", "`0` is no port: 1 to 65535"),
            ("udp://host:", "`` is no port: 1 to 65535"),
            ("udp://host:65536", "`65536` is no port: 1 to 65535"),
            ("udp://host:syslog", "`syslog` is no port: 1 to 65535"),
            ("udp://host/path", "`host/path` is no host's name or address"),
            ("tcp://::1:601", "an IPv6 address stands in brackets: `[::1]:514`"),
            ("tcp://[::1", "the `]` of the IPv6 address is missing"),
            ("tcp://[::1]601", "`601` behind the `]` is no port"),
            ("tcp://[host]:601", "`host` is no IPv6 address"),
            ("unix:dev/log", "the socket's path begins with `/`"),
            (&long, "a socket's path has at most 107 bytes"),
        ] {
            let error = SyslogTarget::parse(url).unwrap_err();
            assert_eq!(error, format!("{ACCEPTED}; {reason}"), "{url}");
        }
    }
}
