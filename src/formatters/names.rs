//! Names for formats that do not allow every name.

use std::collections::HashSet;

/// The names that stand in a line already.
#[derive(Debug)]
pub(super) struct Names {
    taken: HashSet<String>,
    bytes_max: usize,
}

impl Names {
    /// None yet. Names have at most `bytes_max` bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { taken: HashSet::new(), bytes_max }
    }

    /// `name` made of allowed characters, `_` in place of others, and unlike all names before: of
    /// equal ones, the later end with `_2`, `_3`, ….
    pub(super) fn take(&mut self, name: &str, allowed: impl Fn(char) -> bool) -> String {
        let usable = |c: char| if allowed(c) { c } else { '_' };
        let mut valid: String = name.chars().map(usable).collect();
        valid.truncate(valid.floor_char_boundary(self.bytes_max));
        if valid.is_empty() {
            valid.push('_');
        }
        let name = self.unlike_others(valid);
        self.taken.insert(name.clone());
        name
    }

    fn unlike_others(&self, name: String) -> String {
        if !self.taken.contains(&name) {
            return name;
        }
        let mut number = 2_u32;
        loop {
            let end = format!("_{number}");
            let kept = name.floor_char_boundary(self.bytes_max.saturating_sub(end.len()));
            let numbered = format!("{}{end}", &name[..kept]);
            if !self.taken.contains(&numbered) {
                return numbered;
            }
            number += 1;
        }
    }
}
