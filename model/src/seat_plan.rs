//! A seat plan: sections of rows of seats, numbered densely from 0.
//!
//! Immutable, and named by the SHA-256 of its canonical JSON: two plans of one hash are one plan. `GET /layout/{hash}` serves
//! exactly these bytes. A plan is only ever built by [`SeatPlan::parse`] or [`SeatPlan::checked`], which refuse a wrong one.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// A seat's number in its plan: 0 ≤ `seat_no` < capacity, dense.
pub type SeatNo = u32;

/// A price tier's number in its plan.
pub type TierNo = u16;

/// The lowercase hexadecimal SHA-256 of a plan's JSON bytes.
pub type LayoutHash = String;

/// The largest plan: seats per event.
pub const SEATS_MAX: usize = 200_000;

/// The longest name of a plan, and the longest name or label within one, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 300;
pub(crate) const LABEL_CHARS_MAX: usize = 100;

/// The most tiers of a plan.
pub const TIERS_MAX: usize = 256;

/// A plan. `x` and `y` are in metres from the plan's top-left corner; the stage is at the top unless `stage` says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeatPlan {
    /// What people call it.
    pub name: String,
    /// Width in metres.
    pub width: f32,
    /// Height in metres.
    pub height: f32,
    /// The stage's rectangle: x, y, width, height, in metres.
    pub stage: [f32; 4],
    /// Names of the tiers that seats refer to by position.
    pub tiers: Vec<String>,
    /// Sections in reading order.
    pub sections: Vec<Section>,
}

/// A part of the house.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Unique in the plan.
    pub name: String,
    /// Standing or free seating: its seats are places without a label of their own, sold like any other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub general_admission: bool,
    /// Rows from the front; a general-admission section has one.
    pub rows: Vec<Row>,
}

/// Seats side by side: neighbours in the list are neighbours in the house.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Unique in the section; empty for general admission.
    pub label: String,
    /// Seats from left to right.
    pub seats: Vec<Seat>,
}

/// One seat, or one place of general admission.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    /// Its number in the plan.
    pub seat_no: SeatNo,
    /// What is printed on it, unique in the row.
    pub label: String,
    /// Metres from the left.
    pub x: f32,
    /// Metres from the top.
    pub y: f32,
    /// Position in the plan's `tiers`.
    pub tier: TierNo,
    /// Reachable by wheelchair.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accessible: bool,
}

/// Why a plan was refused; each names the place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Not the JSON of a plan.
    #[error("not a seat plan: {0}")]
    Json(String),
    /// No seat at all, or more than [`SEATS_MAX`].
    #[error("a plan has 1 to {SEATS_MAX} seats; this one has {0}")]
    Capacity(usize),
    /// More than [`TIERS_MAX`] tiers.
    #[error("a plan has at most {TIERS_MAX} tiers; this one has {0}")]
    Tiers(usize),
    /// Seats are numbered 0, 1, 2 … in the order of the plan.
    #[error("{path}: seat_no is {found} where {expected} comes next")]
    Numbering {
        /// Where.
        path: String,
        /// What stands there.
        found: SeatNo,
        /// What should.
        expected: SeatNo,
    },
    /// A seat's tier is not in the plan's list.
    #[error("{path}: there is no tier {tier}")]
    Tier {
        /// Where.
        path: String,
        /// The tier named.
        tier: TierNo,
    },
    /// A seat's category, on a plan of pretix's, is not in the plan's list.
    #[error("{path}: there is no category {name:?}")]
    Category {
        /// Where.
        path: String,
        /// The category named.
        name: String,
    },
    /// Two sections, two rows of a section or two seats of a row have one name.
    #[error("{path}: {name:?} stands twice")]
    Duplicate {
        /// Where.
        path: String,
        /// The name.
        name: String,
    },
    /// A name is missing, too long or more than a line.
    #[error("{path} is one line of {min} to {max} characters")]
    Text {
        /// Where.
        path: String,
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
    },
    /// A coordinate or size is not a finite number of metres.
    #[error("{path}: not a place on the plan")]
    Geometry {
        /// Where.
        path: String,
    },
}

impl PlanError {
    /// The place in the plan that is wrong; empty when it is the whole.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Json(_) | Self::Capacity(_) => "",
            Self::Tiers(_) => "tiers",
            Self::Numbering { path, .. }
            | Self::Tier { path, .. }
            | Self::Category { path, .. }
            | Self::Duplicate { path, .. }
            | Self::Text { path, .. }
            | Self::Geometry { path } => path,
        }
    }
}

impl SeatPlan {
    /// Parses and checks a plan.
    ///
    /// # Errors
    /// When the bytes are not a plan's JSON or the plan breaks a rule.
    pub fn parse(bytes: &[u8]) -> Result<Self, PlanError> {
        let plan: Self = serde_json::from_slice(bytes).map_err(|error| PlanError::Json(error.to_string()))?;
        plan.checked()
    }

    /// Checks a plan built in memory.
    ///
    /// # Errors
    /// When the plan breaks a rule.
    pub fn checked(self) -> Result<Self, PlanError> {
        let capacity = self.capacity();
        if capacity == 0 || capacity > SEATS_MAX {
            return Err(PlanError::Capacity(capacity));
        }
        if self.tiers.len() > TIERS_MAX {
            return Err(PlanError::Tiers(self.tiers.len()));
        }
        let sizes = [self.width, self.height].into_iter().chain(self.stage);
        if !sizes.into_iter().all(|metres| metres.is_finite() && metres >= 0.0) {
            return Err(PlanError::Geometry { path: "plan".into() });
        }
        refuse_text(|| "name".into(), &self.name, (1, NAME_CHARS_MAX))?;
        for (i, tier) in self.tiers.iter().enumerate() {
            refuse_text(|| format!("tiers[{i}]"), tier, (1, LABEL_CHARS_MAX))?;
        }
        refuse_duplicates("tiers", self.tiers.iter())?;
        refuse_duplicates("sections", self.sections.iter().map(|section| &section.name))?;
        let mut expected = 0;
        for (s, section) in self.sections.iter().enumerate() {
            refuse_text(|| format!("sections[{s}].name"), &section.name, (1, LABEL_CHARS_MAX))?;
            refuse_duplicates(&format!("sections[{s}].rows"), section.rows.iter().map(|row| &row.label))?;
            for (r, row) in section.rows.iter().enumerate() {
                self.check_row(row, &format!("sections[{s}].rows[{r}]"), &mut expected, section.general_admission)?;
            }
        }
        Ok(self)
    }

    fn check_row(&self, row: &Row, path: &str, expected: &mut SeatNo, unlabelled: bool) -> Result<(), PlanError> {
        refuse_text(|| format!("{path}.label"), &row.label, (0, LABEL_CHARS_MAX))?;
        if !unlabelled {
            refuse_duplicates(&format!("{path}.seats"), row.seats.iter().map(|seat| &seat.label))?;
        }
        for (i, seat) in row.seats.iter().enumerate() {
            let path = || format!("{path}.seats[{i}]");
            refuse_text(|| format!("{}.label", path()), &seat.label, (0, LABEL_CHARS_MAX))?;
            if seat.seat_no != *expected {
                return Err(PlanError::Numbering { path: path(), found: seat.seat_no, expected: *expected });
            }
            if usize::from(seat.tier) >= self.tiers.len() {
                return Err(PlanError::Tier { path: path(), tier: seat.tier });
            }
            if !(seat.x.is_finite() && seat.y.is_finite()) {
                return Err(PlanError::Geometry { path: path() });
            }
            *expected += 1;
        }
        Ok(())
    }

    /// How many seats there are.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.rows().map(|(_, row)| row.seats.len()).sum()
    }

    /// Every row with its section, in order.
    pub fn rows(&self) -> impl Iterator<Item = (&Section, &Row)> {
        self.sections.iter().flat_map(|section| section.rows.iter().map(move |row| (section, row)))
    }

    /// Every seat with its section and row, in `seat_no` order.
    pub fn seats(&self) -> impl Iterator<Item = (&Section, &Row, &Seat)> {
        self.rows().flat_map(|(section, row)| row.seats.iter().map(move |seat| (section, row, seat)))
    }

    /// The canonical JSON and its hash: what is stored, served and named.
    ///
    /// # Errors
    /// When a number cannot be written as JSON; a checked plan has none.
    pub fn canonical(&self) -> Result<(LayoutHash, Vec<u8>), PlanError> {
        let bytes = serde_json::to_vec(self).map_err(|error| PlanError::Json(error.to_string()))?;
        let mut hash = LayoutHash::with_capacity(64);
        for byte in Sha256::digest(&bytes) {
            write!(hash, "{byte:02x}").map_err(|error| PlanError::Json(error.to_string()))?;
        }
        Ok((hash, bytes))
    }
}

pub(crate) fn refuse_text(
    path: impl FnOnce() -> String,
    text: &str,
    (min, max): (usize, usize),
) -> Result<(), PlanError> {
    let (all, inner) = (text.chars().count(), text.trim().chars().count());
    if all <= max && inner >= min && crate::is_one_line(text) {
        return Ok(());
    }
    Err(PlanError::Text { path: path(), min, max })
}

fn refuse_duplicates<'a>(path: &str, names: impl Iterator<Item = &'a String>) -> Result<(), PlanError> {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(PlanError::Duplicate { path: path.to_owned(), name: name.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> SeatPlan {
        let seat =
            |seat_no, label: &str| Seat { seat_no, label: label.into(), x: 1.0, y: 1.0, tier: 0, accessible: false };
        SeatPlan {
            name: "Room".into(),
            width: 10.0,
            height: 10.0,
            stage: [0.0, 0.0, 10.0, 2.0],
            tiers: vec!["Standard".into()],
            sections: vec![Section {
                name: "Stalls".into(),
                general_admission: false,
                rows: vec![Row { label: "A".into(), seats: vec![seat(0, "1"), seat(1, "2")] }],
            }],
        }
    }

    #[test]
    fn a_plan_is_named_by_its_bytes() {
        let (hash, bytes) = plan().canonical().unwrap();
        let again = SeatPlan::parse(&bytes).unwrap();
        assert_eq!(again, plan());
        assert_eq!(again.canonical().unwrap().0, hash);
        assert_eq!(hash.len(), 64);
    }

    #[test]
    fn a_wrong_plan_is_refused_by_place() {
        let mut gap = plan();
        gap.sections[0].rows[0].seats[1].seat_no = 2;
        let path = "sections[0].rows[0].seats[1]".to_owned();
        assert_eq!(gap.checked(), Err(PlanError::Numbering { path: path.clone(), found: 2, expected: 1 }));
        let mut tier = plan();
        tier.sections[0].rows[0].seats[1].tier = 1;
        assert_eq!(tier.checked(), Err(PlanError::Tier { path, tier: 1 }));
        let mut twins = plan();
        twins.sections[0].rows[0].seats[1].label = "1".into();
        let path = "sections[0].rows[0].seats".to_owned();
        assert_eq!(twins.checked(), Err(PlanError::Duplicate { path, name: "1".into() }));
        let mut endless = plan();
        endless.name = "x".repeat(301);
        assert_eq!(endless.checked().unwrap_err().path(), "name");
        let mut broken = plan();
        broken.sections[0].rows[0].seats[0].label = "1\n2".into();
        assert_eq!(broken.checked().unwrap_err().path(), "sections[0].rows[0].seats[0].label");
        let mut empty = plan();
        empty.sections.clear();
        assert_eq!(empty.checked(), Err(PlanError::Capacity(0)));
    }
}
