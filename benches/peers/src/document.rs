//! A table that lives in a document, between two markers.

pub(crate) const BEGIN: &str = "<!-- peers:begin -->";
pub(crate) const END: &str = "<!-- peers:end -->";

/// The document with `table` in place of what was between the markers.
pub(crate) fn with_table(document: &str, table: &str) -> Result<String, String> {
    let once = |marker: &str| match document.matches(marker).count() {
        1 => Ok(()),
        0 => Err(format!(
            "it has no line `{marker}`; add `{BEGIN}` and `{END}` where the table goes"
        )),
        count => Err(format!("it has {count} times `{marker}`; leave one")),
    };
    once(BEGIN)?;
    once(END)?;
    let split = document
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = split.ok_or_else(|| format!("`{END}` stands before `{BEGIN}`"))?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", table.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_replaced_and_nothing_else() {
        let old = format!("# A\n\n{BEGIN}\nold\n\n{END}\n\n# B\n");
        let new = format!("# A\n\n{BEGIN}\nnew\n{END}\n\n# B\n");
        assert_eq!(with_table(&old, "\nnew\n\n"), Ok(new.clone()));
        assert_eq!(with_table(&new, "new"), Ok(new));
    }

    #[test]
    fn a_document_without_its_markers_is_refused() {
        let said = |document: String| with_table(&document, "t").err().unwrap_or_default();
        assert!(said(String::new()).contains("no line `<!-- peers:begin -->`"));
        assert!(said(format!("{BEGIN}\n")).contains("no line `<!-- peers:end -->`"));
        assert!(said(format!("{BEGIN}{BEGIN}{END}")).contains("2 times"));
        assert!(said(format!("{END}\n{BEGIN}")).contains("stands before"));
    }
}
