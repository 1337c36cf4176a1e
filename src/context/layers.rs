//! Contexts laid over each other.
//!
//! A field has a *depth*: the number of the innermost scope that was open on the thread when the
//! field was bound, or that it belongs to; 0 outside scopes. Scopes are numbered as they are
//! opened, so the deeper one of two fields with one name is the inner one.

use smallvec::SmallVec;

use crate::definition::{DefinitionBytes, RawField, context_fields};

/// One context of several.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layer<'a> {
    pub(crate) bytes: &'a [u8],
    /// The depths of its fields; empty if they are all 0.
    pub(crate) depths: &'a [u64],
    /// What they are at least.
    pub(crate) depth_min: u64,
}

impl<'a> Layer<'a> {
    /// A context outside scopes.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, depths: &[], depth_min: 0 }
    }

    /// The depth of its innermost field.
    pub(crate) fn depth_max(&self) -> u64 {
        self.depths.iter().copied().fold(self.depth_min, u64::max)
    }

    fn fields(self) -> impl Iterator<Item = Field<'a>> {
        let depths = self.depths.iter().copied().chain(std::iter::repeat(0));
        context_fields(self.bytes)
            .zip(depths)
            .map(move |(raw, depth)| Field { raw, depth: depth.max(self.depth_min) })
    }
}

#[derive(Debug, Clone, Copy)]
struct Field<'a> {
    raw: RawField<'a>,
    depth: u64,
}

/// What layers come to.
#[derive(Debug, Default)]
pub(crate) struct Layered {
    pub(crate) bytes: DefinitionBytes,
    /// As [`Layer::depths`].
    pub(crate) depths: SmallVec<[u64; 8]>,
}

impl Layered {
    /// Whether there is no field.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.starts_with(&[0, 0])
    }
}

impl<'a> FromIterator<Field<'a>> for Layered {
    fn from_iter<I: IntoIterator<Item = Field<'a>>>(fields: I) -> Self {
        let mut whole = Self { bytes: DefinitionBytes::from_slice(&[0, 0]), ..Self::default() };
        let mut count = 0_u16;
        for Field { raw, depth } in fields {
            whole.bytes.extend_from_slice(raw.bytes);
            whole.depths.push(depth);
            count += 1;
        }
        whole.bytes[..2].copy_from_slice(&count.to_le_bytes());
        if whole.depths.iter().all(|depth| *depth == 0) {
            whole.depths.clear();
        }
        whole
    }
}

/// Lays contexts over each other: the fields stand in the order of their depths, those of one depth
/// in the order of the layers. Where a name stands more than once, the last one counts.
pub(crate) fn merge<'a>(layers: impl IntoIterator<Item = Layer<'a>>) -> Layered {
    let mut fields: SmallVec<[Field<'a>; 16]> =
        layers.into_iter().flat_map(Layer::fields).collect();
    if !fields.is_sorted_by_key(|field| field.depth) {
        fields.sort_by_key(|field| field.depth);
    }
    let shown = fields.iter().enumerate().filter(|(index, field)| {
        fields[index + 1..].iter().all(|later| later.raw.name != field.raw.name)
    });
    shown.map(|(_, field)| *field).collect()
}

/// A context without the fields of these names.
pub(crate) fn without(layer: Layer<'_>, names: &[&str]) -> Layered {
    layer.fields().filter(|field| !names.contains(&field.raw.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;

    fn shown(layered: &Layered) -> Vec<(&str, u8)> {
        context_fields(&layered.bytes).map(|field| (field.name, field.stored()[0])).collect()
    }

    #[test]
    fn the_deeper_value_wins_whichever_layer_it_stands_in() {
        let bound = Context::new().field("a", 1_u8).field("b", 2_u8).field("c", 3_u8);
        let scope = Context::new().field("a", 4_u8).field("c", 5_u8);
        let bound = Layer { bytes: bound.bytes(), depths: &[0, 0, 9], depth_min: 0 };
        let scope = Layer { bytes: scope.bytes(), depths: &[], depth_min: 7 };
        for layers in [[bound, scope], [scope, bound]] {
            let merged = merge(layers);
            assert_eq!(shown(&merged), [("b", 2), ("a", 4), ("c", 3)]);
            assert_eq!(merged.depths[..], [0, 7, 9]);
        }
        assert_eq!((bound.depth_max(), scope.depth_max()), (9, 7));
    }

    #[test]
    fn fields_can_be_taken_out() {
        let bound = Context::new().field("a", 1_u8).field("b", 2_u8).field("c", 3_u8);
        let bound = Layer { bytes: bound.bytes(), depths: &[0, 5, 9], depth_min: 0 };
        let rest = without(bound, &["b", "none"]);
        assert_eq!((shown(&rest), &rest.depths[..]), (vec![("a", 1), ("c", 3)], &[0, 9][..]));
        let none = without(bound, &["a", "b", "c"]);
        assert_eq!((&none.bytes[..], none.depths.len()), (&[0, 0][..], 0));
    }
}
