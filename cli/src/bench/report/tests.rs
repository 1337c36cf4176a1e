use std::path::PathBuf;

use super::*;
use crate::bench::fixture;

/// What a browser would fetch, or run.
const EXTERNAL: [&str; 7] = ["http:", "https:", "src=", "href=", "url(", "@import", "<script"];

#[test]
fn the_page_holds_every_figure_and_needs_nothing_but_itself() {
    let run = fixture::run();
    let page = Page(&run).to_string();
    for external in EXTERNAL {
        assert!(!page.contains(external), "{external}");
    }
    for case in &run.cases {
        let times = case.times;
        let cells: String = [times.p50, times.p90, times.p99, times.p999, times.max]
            .map(|nanos| format!("<td>{}</td>", time(nanos)))
            .concat();
        assert!(page.contains(&cells), "{}: {cells}", case.key());
    }
    for case in &run.throughput {
        assert!(page.contains(&format!("<td>{}</td>", amount(case.records_per_s))));
    }
    assert!(page.contains(&times(&run.timer_pair_ns)));
    assert!(page.contains(&times(&run.store_control_ns.unwrap())));
    assert!(page.contains("30000 naps of 50 µs") && page.contains("3 of them took longer"));
    let machine = [&run.machine.cpu, &run.machine.kernel, &run.command, &run.commit];
    assert!(machine.iter().all(|text| page.contains(text.as_str())));
    assert!(page.contains("What is not claimed") && page.contains("prefers-color-scheme:dark"));
}

#[test]
fn the_tags_are_balanced() {
    let page = Page(&fixture::run()).to_string();
    for tag in ["html", "body", "div", "figure", "svg", "table", "tr", "td", "ul", "li", "p", "h3"]
    {
        let (opened, closed) = (format!("<{tag}"), format!("</{tag}>"));
        let opened = page
            .match_indices(&opened)
            .filter(|(at, _)| matches!(page.as_bytes()[at + opened.len()], b'>' | b' '))
            .count();
        assert_eq!(opened, page.matches(&closed).count(), "{tag}");
    }
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "\"><script>alert(1)</script>";
    let mut run = fixture::run();
    run.command = hostile.to_owned();
    run.commit = hostile.to_owned();
    run.started = hostile.to_owned();
    let machine = &mut run.machine;
    for text in [
        &mut machine.cpu,
        &mut machine.kernel,
        &mut machine.governor,
        &mut machine.hypervisor,
        &mut machine.filesystem,
        &mut machine.rustc,
    ] {
        *text = hostile.to_owned();
    }
    let first = &mut run.cases[0];
    for text in [&mut first.name, &mut first.stamp, &mut first.face, &mut first.mode] {
        *text = hostile.to_owned();
    }
    run.cases[0].overflow = hostile.to_owned();
    run.throughput[0].name = hostile.to_owned();
    run.throughput[0].overflow = hostile.to_owned();
    assert!(!Page(&run).to_string().contains("<script"));
}

#[test]
fn problems_stand_before_every_figure() {
    let mut run = fixture::run();
    assert!(!Page(&run).to_string().contains("What did not hold"));
    run.problems = vec!["batch20: <2> records are missing".to_owned()];
    let page = Page(&run).to_string();
    let told = page.find("batch20: &lt;2&gt; records are missing").unwrap();
    assert!(told < page.find("<h2>The budget").unwrap());
}

#[test]
fn an_empty_run_and_empty_histograms_make_a_page() {
    let mut run = fixture::run();
    for case in &mut run.cases {
        case.histogram.clear();
    }
    let page = Page(&run).to_string();
    assert!(!page.contains("NaN") && !page.contains("inf"), "no place in a drawing is unknown");
    run.cases.clear();
    run.throughput.clear();
    let page = Page(&run).to_string();
    assert!(page.contains("not measured") && !page.contains("<h2>Throughput"));
}

/// `TAPELOG_PAGE=FILE` keeps it for a person to look at.
#[test]
fn a_page_is_written_as_it_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = std::env::var_os("TAPELOG_PAGE").map(PathBuf::from);
    let path = path.unwrap_or_else(|| directory.path().join("page.html"));
    let run = fixture::run();
    write(&run, &path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), Page(&run).to_string());
}
