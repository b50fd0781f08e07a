//! Reports as an HTML page: one file, no script, printable.

use std::fmt::Write as _;

use super::{
    IsolationVerdict,
    report::{IsolationReport, Probing},
};

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;border-top:1px solid #bbb;padding-top:1rem}\
.verified{color:#0b6b2e}.violated{color:#a30d11}.inconclusive{color:#7a4b00}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .5rem;border-bottom:1px solid #ddd}\
td,code{overflow-wrap:anywhere}code{font-size:.9em}\
@media print{body{margin:0;max-width:none}h2{break-inside:avoid}}";

/// Renders reports as a page. Every text in them is escaped; the page loads nothing.
///
/// `at` is the time at which the state of Azure was read, as text.
pub fn page(reports: &[IsolationReport], at: &str) -> String {
    let count = |verdict: IsolationVerdict| reports.iter().filter(|report| report.verdict == verdict).count();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Isolation report</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<h1>Isolation report</h1>\n<p>As Azure showed it at {}: {} verified, {} violated, \
         {} inconclusive.</p>\n",
        escaped(at),
        count(IsolationVerdict::Verified),
        count(IsolationVerdict::Violated),
        count(IsolationVerdict::Inconclusive),
    );
    for report in reports {
        section(&mut html, report);
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn section(html: &mut String, report: &IsolationReport) {
    let verdict = report.verdict.as_str();
    let id = escaped(report.tenant_id.as_str());
    let _ = writeln!(html, "<section>\n<h2>{id}: <span class=\"{verdict}\">{verdict}</span></h2>");
    if !report.findings.is_empty() {
        html.push_str("<table>\n<tr><th>Finding</th><th>What was seen</th><th>What to do</th></tr>\n");
        for finding in &report.findings {
            let _ = writeln!(
                html,
                "<tr><td><code>{}</code></td><td>{}<br>{}<br><code>{}</code></td><td>{}</td></tr>",
                escaped(&finding.code),
                escaped(&finding.means),
                escaped(&finding.says),
                escaped(&finding.about),
                escaped(&finding.next),
            );
        }
        html.push_str("</table>\n");
    }
    if !report.gaps.is_empty() {
        html.push_str("<p>Not known, and it could hide a finding:</p>\n<ul>\n");
        for gap in &report.gaps {
            let _ = writeln!(html, "<li><code>{}</code>: {}</li>", escaped(&gap.about), escaped(&gap.why));
        }
        html.push_str("</ul>\n");
    }
    if !report.accepted.is_empty() {
        html.push_str("<p>Who else reaches the tenant, and may:</p>\n<table>\n");
        html.push_str("<tr><th>Principal</th><th>Role</th><th>Can</th><th>Why</th></tr>\n");
        for entry in &report.accepted {
            let can: Vec<String> = entry.can.iter().map(ToString::to_string).collect();
            let _ = writeln!(
                html,
                "<tr><td><code>{}</code></td><td>{}<br><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                escaped(&entry.principal),
                escaped(&entry.role),
                escaped(&entry.scope),
                escaped(&can.join(", ")),
                escaped(&entry.why),
            );
        }
        html.push_str("</table>\n");
    }
    calls(html, report);
    let _ =
        writeln!(html, "<p>Digest of the evidence: <code>{}</code></p>\n</section>", escaped(&report.digest));
}

/// Writes the table of calls to the tenant's service, or a sentence that says why there are none.
fn calls(html: &mut String, report: &IsolationReport) {
    if report.probing != Probing::Made {
        let _ = writeln!(html, "<p>{}</p>", report.probing.sentence());
        return;
    }
    let from = report.location.as_deref().unwrap_or_default();
    let seed = report.seed.as_deref().unwrap_or_default();
    let _ = writeln!(
        html,
        "<p>Its service was called from: {}. Pairs drawn by <code>{}</code>.</p>\n<table>\n\
         <tr><th>Called with</th><th>Answer</th><th>Has to be</th><th>Was</th></tr>",
        escaped(from),
        escaped(seed),
    );
    for probe in &report.probes {
        let answer = match (probe.status, &probe.why) {
            (Some(status), _) => format!("HTTP {status}"),
            (None, why) => why.clone().unwrap_or_default(),
        };
        let class = if probe.outcome == probe.expected { "verified" } else { "violated" };
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"{class}\">{}</td></tr>",
            escaped(&probe.with()),
            escaped(&answer),
            probe.expected.as_str(),
            probe.outcome.as_str(),
        );
    }
    html.push_str("</table>\n");
}

/// Escapes a text for HTML. Invisible characters are shown as their code: they could reorder the text around them.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            hidden if hidden.is_control() || is_format(hidden) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(hidden));
            }
            plain => safe.push(plain),
        }
    }
    safe
}

/// Whether a character is invisible and can change how other characters are displayed.
fn is_format(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
