//! pretix's seating plans, as its `seating-plan.schema.json` (JSON Schema draft-07) has them, read as plans of ours.
//!
//! A zone becomes a section, a row a row, a category a tier, each in the file's order; pixels become metres. A row number that a zone
//! has again stands across an aisle: its row goes to a section of its own, for nobody there is anybody's neighbour here. Shapes and
//! colours are not kept, but for the stage; places without seats are none of pretix's either. A fault is named by its JSON path.

use crate::seat_plan::{LABEL_CHARS_MAX, NAME_CHARS_MAX, refuse_text};
use crate::{PlanError, Row, SEATS_MAX, Seat, SeatPlan, Section, TierNo};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use utoipa::ToSchema;

/// pretix draws a seat with a radius of 10 pixels; half a metre is what people sit on.
const PIXELS_PER_METRE: f64 = 40.0;
/// How far from its corner anything on a plan may be: no house is a kilometre wide.
const PIXELS_MAX: f64 = 40_000.0;
/// Between the outermost seats and the plan's edge, in metres.
const MARGIN: f64 = 1.0;
/// What the stage is called on plans: one of these words stands in its text.
const STAGE_WORDS: [&str; 10] =
    ["stage", "bühne", "scène", "escenario", "palco", "podium", "scena", "scen", "сцена", "舞台"];

/// A seating plan of pretix.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PretixPlan {
    /// What people call it.
    pub name: String,
    /// Parts of the house.
    pub zones: Vec<PretixZone>,
    /// What seats are sold as.
    pub categories: Vec<PretixCategory>,
    /// The whole plan.
    pub size: PretixSize,
}

/// A part of the house.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PretixZone {
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// Stands for the name where there is none.
    #[serde(default)]
    pub zone_id: String,
    /// Not kept.
    pub uuid: Option<String>,
    /// On the plan.
    pub position: PretixPosition,
    /// Rows, the first in front.
    pub rows: Vec<PretixRow>,
    /// What is drawn beside the seats.
    #[serde(default)]
    pub areas: Vec<PretixArea>,
}

/// Seats side by side.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PretixRow {
    /// What the row is called.
    pub row_number: String,
    /// Stands for the number where that is empty.
    pub row_label: Option<String>,
    /// Not kept.
    pub seat_label: Option<String>,
    /// Not kept.
    pub uuid: Option<String>,
    /// Neighbours in the list are neighbours in the house.
    pub seats: Vec<PretixSeat>,
    /// Not kept.
    pub row_number_position: Option<PretixNumbers>,
    /// In the zone.
    #[serde(default)]
    pub position: PretixPosition,
}

/// Where a row's number is drawn.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PretixNumbers {
    /// Before the first seat.
    Start,
    /// Behind the last.
    End,
    /// At both.
    Both,
}

/// A seat.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PretixSeat {
    /// Unique in the plan.
    pub seat_guid: String,
    /// What is printed on it.
    pub seat_number: String,
    /// Not kept.
    pub uuid: Option<String>,
    /// Not kept.
    pub start_direction: Option<String>,
    /// Not kept.
    pub radius: Option<i64>,
    /// In the row.
    pub position: PretixPosition,
    /// The name of one of the plan's categories.
    pub category: String,
}

/// A shape beside the seats.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PretixArea {
    /// Not kept.
    pub color: Option<String>,
    /// Not kept.
    pub border_color: Option<String>,
    /// Not kept.
    pub rotation: Option<f64>,
    /// In the zone.
    #[serde(default)]
    pub position: PretixPosition,
    /// Not kept.
    pub uuid: Option<String>,
    /// Not kept: which of the following is there says it as well.
    pub shape: Option<PretixShape>,
    /// Corners.
    pub polygon: Option<PretixPolygon>,
    /// From its upper left corner.
    pub rectangle: Option<PretixSize>,
    /// Around its position.
    pub ellipse: Option<PretixEllipse>,
    /// Around its position.
    pub circle: Option<PretixCircle>,
    /// What is written on it.
    pub text: Option<PretixText>,
}

/// What a shape is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PretixShape {
    /// Corners.
    Polygon,
    /// A rectangle.
    Rectangle,
    /// An ellipse.
    Ellipse,
    /// A circle.
    Circle,
    /// Nothing but its text.
    Text,
}

/// A shape of corners.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PretixPolygon {
    /// From the shape's position.
    pub points: Vec<PretixPosition>,
}

/// An ellipse.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PretixEllipse {
    /// Half its width and half its height.
    pub radius: PretixPosition,
}

/// A circle.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PretixCircle {
    /// In pixels.
    pub radius: i64,
}

/// Words on a plan.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PretixText {
    /// The words.
    pub text: String,
    /// Not kept.
    pub color: Option<String>,
    /// Not kept.
    pub size: Option<i64>,
    /// Not kept.
    pub position: PretixPosition,
}

/// Pixels from the corner of what it is in.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PretixPosition {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

/// Pixels across and down.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PretixSize {
    /// Across.
    pub width: u32,
    /// Down.
    pub height: u32,
}

/// What seats are sold as.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PretixCategory {
    /// Unique in the plan.
    pub name: String,
    /// Not kept.
    pub color: Option<String>,
}

impl std::ops::Add for PretixPosition {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { x: self.x + other.x, y: self.y + other.y }
    }
}

impl PretixPlan {
    /// Our plan of it.
    ///
    /// # Errors
    /// When it breaks a rule of plans; the path is that of the fault in pretix's JSON.
    pub fn into_plan(self) -> Result<SeatPlan, PlanError> {
        refuse_text(|| "name".into(), &self.name, (1, NAME_CHARS_MAX))?;
        let mut reading = Reading::new(&self.categories)?;
        for (z, zone) in self.zones.iter().enumerate() {
            reading.zone(zone, &format!("zones[{z}]"))?;
        }
        let Reading { mut sections, mut seats, .. } = reading;
        if seats == 0 {
            return Err(PlanError::Capacity(seats));
        }
        let frame = Frame::around(self.size, sections.iter().flat_map(|section| &section.rows));
        seats = 0;
        for seat in sections.iter_mut().flat_map(|section| &mut section.rows).flat_map(|row| &mut row.seats) {
            seat.seat_no = u32::try_from(seats).unwrap_or(u32::MAX);
            (seat.x, seat.y) = frame.place(f64::from(seat.x), f64::from(seat.y));
            seats += 1;
        }
        let stage = self.zones.iter().find_map(stage).map_or([0.0, 0.0, frame.width, 0.0], |area| frame.stage(area));
        SeatPlan {
            name: self.name.trim().to_owned(),
            width: frame.width,
            height: frame.height,
            stage,
            tiers: self.categories.into_iter().map(|category| category.name).collect(),
            sections,
        }
        .checked()
    }
}

/// What is read of a plan; places are in pixels, and seats are not numbered yet.
struct Reading<'a> {
    tiers: HashMap<&'a str, TierNo>,
    guids: HashSet<&'a str>,
    names: HashSet<String>,
    sections: Vec<Section>,
    seats: usize,
}

impl<'a> Reading<'a> {
    fn new(categories: &'a [PretixCategory]) -> Result<Self, PlanError> {
        let mut tiers = HashMap::new();
        for (c, category) in categories.iter().enumerate() {
            let path = || format!("categories[{c}].name");
            refuse_text(path, &category.name, (1, LABEL_CHARS_MAX))?;
            let tier = TierNo::try_from(c).map_err(|_| PlanError::Tiers(categories.len()))?;
            if tiers.insert(category.name.as_str(), tier).is_some() {
                return Err(PlanError::Duplicate { path: path(), name: category.name.clone() });
            }
        }
        Ok(Self { tiers, guids: HashSet::new(), names: HashSet::new(), sections: Vec::new(), seats: 0 })
    }

    fn zone(&mut self, zone: &'a PretixZone, path: &str) -> Result<(), PlanError> {
        let mut blocks: Vec<Vec<Row>> = Vec::new();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (r, row) in zone.rows.iter().enumerate().filter(|(_, row)| !row.seats.is_empty()) {
            let path = format!("{path}.rows[{r}]");
            let label =
                if row.row_number.trim().is_empty() { row.row_label.as_deref() } else { Some(&*row.row_number) };
            let label = label.unwrap_or_default();
            refuse_text(|| format!("{path}.row_number"), label, (1, LABEL_CHARS_MAX))?;
            let block = seen.entry(label).and_modify(|block| *block += 1).or_default();
            if blocks.len() <= *block {
                blocks.push(Vec::new());
            }
            let seats = self.row(row, zone.position + row.position, &path)?;
            blocks[*block].push(Row { label: label.to_owned(), seats });
        }
        let name = if zone.name.trim().is_empty() { &zone.zone_id } else { &zone.name };
        for (number, rows) in (1..).zip(blocks) {
            let name = if number == 1 { name.clone() } else { format!("{name} ({number})") };
            refuse_text(|| format!("{path}.name"), &name, (1, LABEL_CHARS_MAX))?;
            if !self.names.insert(name.clone()) {
                return Err(PlanError::Duplicate { path: format!("{path}.name"), name });
            }
            self.sections.push(Section { name, general_admission: false, rows });
        }
        Ok(())
    }

    fn row(&mut self, row: &'a PretixRow, corner: PretixPosition, path: &str) -> Result<Vec<Seat>, PlanError> {
        self.seats += row.seats.len();
        if self.seats > SEATS_MAX {
            return Err(PlanError::Capacity(self.seats));
        }
        let mut labels = HashSet::new();
        let mut seats = Vec::with_capacity(row.seats.len());
        for (s, seat) in row.seats.iter().enumerate() {
            let at = |field: &str| format!("{path}.seats[{s}].{field}");
            let twice = |field, name: &str| Err(PlanError::Duplicate { path: at(field), name: name.to_owned() });
            if !self.guids.insert(&seat.seat_guid) {
                return twice("seat_guid", &seat.seat_guid);
            }
            refuse_text(|| at("seat_number"), &seat.seat_number, (1, LABEL_CHARS_MAX))?;
            if !labels.insert(&*seat.seat_number) {
                return twice("seat_number", &seat.seat_number);
            }
            let Some(tier) = self.tiers.get(&*seat.category) else {
                return Err(PlanError::Category { path: at("category"), name: seat.category.clone() });
            };
            let place = corner + seat.position;
            if !(place.x.abs() <= PIXELS_MAX && place.y.abs() <= PIXELS_MAX) {
                return Err(PlanError::Geometry { path: at("position") });
            }
            let (x, y) = (single(place.x), single(place.y));
            seats.push(Seat { seat_no: 0, label: seat.seat_number.clone(), x, y, tier: *tier, accessible: false });
        }
        Ok(seats)
    }
}

/// From pixels to metres: far enough from the corner for every seat, and large enough.
struct Frame {
    left: f64,
    top: f64,
    width: f32,
    height: f32,
}

impl Frame {
    fn around<'a>(size: PretixSize, rows: impl Iterator<Item = &'a Row>) -> Self {
        let (mut low, mut high) = ((f64::MAX, f64::MAX), (f64::MIN, f64::MIN));
        for seat in rows.flat_map(|row| &row.seats) {
            let (x, y) = (f64::from(seat.x) / PIXELS_PER_METRE, f64::from(seat.y) / PIXELS_PER_METRE);
            low = (low.0.min(x), low.1.min(y));
            high = (high.0.max(x), high.1.max(y));
        }
        let (left, top) = ((MARGIN - low.0).max(0.0), (MARGIN - low.1).max(0.0));
        let said = |pixels: u32| f64::from(pixels).min(PIXELS_MAX) / PIXELS_PER_METRE;
        let (width, height) = (said(size.width).max(high.0 + MARGIN), said(size.height).max(high.1 + MARGIN));
        Self { left, top, width: centimetres(width + left), height: centimetres(height + top) }
    }

    fn place(&self, x: f64, y: f64) -> (f32, f32) {
        (centimetres(x / PIXELS_PER_METRE + self.left), centimetres(y / PIXELS_PER_METRE + self.top))
    }

    /// The part of an area that is on the plan.
    fn stage(&self, (from, to): (PretixPosition, PretixPosition)) -> [f32; 4] {
        let ((left, top), (right, bottom)) = (self.place(from.x, from.y), self.place(to.x, to.y));
        let (left, top) = (left.clamp(0.0, self.width), top.clamp(0.0, self.height));
        [left, top, right.clamp(left, self.width) - left, bottom.clamp(top, self.height) - top].map(|metres| {
            // A difference of two rounded numbers is not round.
            centimetres(f64::from(metres))
        })
    }
}

/// The corners of what is called the stage in a zone.
fn stage(zone: &PretixZone) -> Option<(PretixPosition, PretixPosition)> {
    let named = |area: &&PretixArea| {
        let text = area.text.as_ref().map(|text| text.text.to_lowercase()).unwrap_or_default();
        text.split(|c: char| !c.is_alphabetic()).any(|word| STAGE_WORDS.contains(&word))
    };
    zone.areas.iter().filter(named).find_map(|area| {
        let at = zone.position + area.position;
        let around = |x: f64, y: f64| (at + PretixPosition { x: -x, y: -y }, at + PretixPosition { x, y });
        if let Some(PretixSize { width, height }) = area.rectangle {
            return Some((at, at + PretixPosition { x: width.into(), y: height.into() }));
        }
        if let Some(PretixEllipse { radius }) = &area.ellipse {
            return Some(around(radius.x, radius.y));
        }
        if let Some(PretixCircle { radius }) = &area.circle {
            let radius = f64::from(i32::try_from(*radius).ok()?);
            return Some(around(radius, radius));
        }
        let points = &area.polygon.as_ref()?.points;
        let first = *points.first()?;
        let corners = points.iter().fold((first, first), |(low, high), point| {
            let low = PretixPosition { x: low.x.min(point.x), y: low.y.min(point.y) };
            (low, PretixPosition { x: high.x.max(point.x), y: high.y.max(point.y) })
        });
        Some((at + corners.0, at + corners.1))
    })
}

/// Rounded, so that one file gives one hash.
fn centimetres(metres: f64) -> f32 {
    single((metres * 100.0).round() / 100.0)
}

#[expect(clippy::cast_possible_truncation, reason = "a house is less than a kilometre wide")]
fn single(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests;
