//! `Retry-After`, in every form in which services send it.
//!
//! Sources: RFC 9110, section 10.2.3 (`Retry-After` in seconds or as a date) and 5.6.7 (the three forms of a date);
//! the retry policies of Microsoft's own clients, which read `retry-after-ms` and `x-ms-retry-after-ms` first
//! (azure-core). Fractions of a second are not standard, but are sent.

use std::time::Duration;

use jiff::{
    Timestamp,
    civil::DateTime,
    fmt::{rfc2822, strtime},
    tz::TimeZone,
};

/// The longest wait that is returned: a longer one is taken for a mistake of the service and shortened.
pub const MOST: Duration = Duration::from_secs(2 * 60 * 60);

/// Headers with milliseconds, as Microsoft's clients read them.
const MILLISECONDS: [&str; 2] = ["retry-after-ms", "x-ms-retry-after-ms"];

/// How long the service asks not to be called, given its answer's headers by lower-case name. A date counts from the
/// answer's own `date`, because the clocks of two machines differ; without `date` it is ignored.
pub fn retry_after<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Duration> {
    let exact = MILLISECONDS.iter().find_map(|name| decimal(header(name)?).map(|ms| ms / 1000.0));
    let seconds = exact.or_else(|| {
        let text = header("retry-after")?;
        decimal(text).or_else(|| {
            let from = date(header("date")?)?;
            Some(date(text)?.duration_since(from).as_secs_f64())
        })
    })?;
    // A date in the past means that no wait is needed.
    Some(Duration::try_from_secs_f64(seconds.max(0.0)).map_or(MOST, |wait| wait.min(MOST)))
}

/// Digits with at most one point: no sign, no exponent, no infinity.
fn decimal(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain { text.parse().ok() } else { None }
}

/// A date as HTTP writes it: RFC 5322 with `GMT`, RFC 850, or asctime.
fn date(text: &str) -> Option<Timestamp> {
    const OLD: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let text = text.trim();
    let parser = rfc2822::DateTimeParser::new().relaxed_weekday(true);
    let old = || {
        let read = |form: &&str| strtime::parse(form, text).ok()?.to_datetime().ok();
        let civil: DateTime = OLD.iter().find_map(read)?;
        civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    parser.parse_timestamp(text).ok().or_else(old)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers of an answer.
    type Headers = [(&'static str, &'static str)];

    fn given(headers: &[(&str, &str)]) -> Option<Duration> {
        retry_after(|name| headers.iter().find(|(other, _)| *other == name).map(|(_, value)| *value))
    }

    #[test]
    fn every_form_is_understood() {
        let now = ("date", "Mon, 30 Nov 2026 09:59:00 GMT");
        let rows: [(&Headers, Option<f64>); 18] = [
            (&[], None),
            (&[("retry-after", "7")], Some(7.0)),
            (&[("retry-after", " 0 ")], Some(0.0)),
            (&[("retry-after", "4.5")], Some(4.5)),
            (&[("retry-after", "")], None),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "inf")], None),
            (&[("retry-after", "1e3")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "99999999999999999999999")], Some(7200.0)),
            (&[("retry-after", "Mon, 30 Nov 2026 10:00:00 GMT"), now], Some(60.0)),
            (&[("retry-after", "Monday, 30-Nov-26 10:00:00 GMT"), now], Some(60.0)),
            (&[("retry-after", "Mon Nov 30 10:00:00 2026"), now], Some(60.0)),
            (&[("retry-after", "Mon, 30 Nov 2026 09:00:00 GMT"), now], Some(0.0)),
            (&[("retry-after", "Tue, 30 Nov 2027 10:00:00 GMT"), now], Some(7200.0)),
            (&[("retry-after", "Mon, 30 Nov 2026 10:00:00 GMT")], None),
            (&[("retry-after-ms", "250"), ("retry-after", "1")], Some(0.25)),
            (&[("x-ms-retry-after-ms", "1500")], Some(1.5)),
        ];
        for (headers, seconds) in rows {
            assert_eq!(given(headers).map(|wait| wait.as_secs_f64()), seconds, "{headers:?}");
        }
    }
}
