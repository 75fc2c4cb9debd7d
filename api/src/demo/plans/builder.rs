//! Lays rows of seats on a plan: along a line, around a stage, or around an oval.
//!
//! Seats get their numbers in the order of the finished plan; coordinates are rounded to a centimetre, so that a plan's bytes are stable.

use model::{Row, Seat, SeatPlan, Section, TierNo};
use std::f64::consts::TAU;

/// A plan that is being laid.
pub(super) struct Builder {
    plan: SeatPlan,
}

/// A block of rows: how many, how long, of which tier.
pub(super) struct Block<'a> {
    pub(super) section: &'a str,
    pub(super) rows: u16,
    pub(super) seats: u16,
    pub(super) tier: TierNo,
    /// Whether the ends of its first row take wheelchairs.
    pub(super) accessible: bool,
}

/// An oval around a centre: half its width and half its height, in metres.
#[derive(Clone, Copy)]
pub(super) struct Oval {
    pub(super) centre: (f64, f64),
    pub(super) half: (f64, f64),
}

impl Builder {
    pub(super) fn new(name: &str, size: (f32, f32), stage: [f32; 4], tiers: &[&str]) -> Self {
        let plan = SeatPlan {
            name: name.to_owned(),
            width: size.0,
            height: size.1,
            stage,
            tiers: tiers.iter().map(|&tier| tier.to_owned()).collect(),
            sections: Vec::new(),
        };
        Self { plan }
    }

    /// Lays a block; `first_row` labels its front row (0 is `A`), `place` gives row and seat their metres.
    pub(super) fn block(&mut self, block: &Block<'_>, first_row: u16, place: impl Fn(u16, u16) -> (f64, f64)) {
        let rows = (0..block.rows).map(|row| Row {
            label: letters(first_row + row),
            seats: (0..block.seats)
                .map(|i| {
                    let end = i < 2 || i + 2 >= block.seats;
                    let accessible = block.accessible && row == 0 && end;
                    seat((i + 1).to_string(), place(row, i), block.tier, accessible)
                })
                .collect(),
        });
        let rows: Vec<Row> = rows.collect();
        match self.plan.sections.iter_mut().find(|section| section.name == block.section) {
            Some(section) => section.rows.extend(rows),
            None => self.plan.sections.push(Section { name: block.section.to_owned(), general_admission: false, rows }),
        }
    }

    /// Straight rows one behind the other, the front left seat at `corner`.
    pub(super) fn straight(&mut self, block: &Block<'_>, first_row: u16, corner: (f64, f64), pitch: (f64, f64)) {
        self.block(block, first_row, |row, i| (corner.0 + f64::from(i) * pitch.0, corner.1 + f64::from(row) * pitch.1));
    }

    /// Rows on arcs around `centre`: the front row at `radius`, the block's middle `metres` along each row from the axis, so
    /// that aisles keep their width.
    pub(super) fn arc(&mut self, block: &Block<'_>, first_row: u16, centre: (f64, f64), (radius, metres): (f64, f64)) {
        self.block(block, first_row, |row, i| {
            let r = radius + f64::from(row) * 0.95;
            let angle = (metres + from_middle(i, block.seats) * 0.55) / r;
            (centre.0 + r * angle.sin(), centre.1 + r * angle.cos())
        });
    }

    /// Sections side by side around an oval, open towards the stage at the top; `named` gives each its name.
    pub(super) fn ring(&mut self, oval: Oval, sections: u16, block: &Block<'_>, named: impl Fn(u16) -> String) {
        let angles = even_angles(oval, sections);
        for (number, angle) in (0_u16..).zip(angles) {
            let (x, y) = (oval.centre.0 + oval.half.0 * angle.sin(), oval.centre.1 + oval.half.1 * angle.cos());
            // The normal of the oval here, and the direction along it.
            let (nx, ny) = (angle.sin() / oval.half.0, angle.cos() / oval.half.1);
            let length = nx.hypot(ny);
            let (nx, ny) = (nx / length, ny / length);
            let name = named(number);
            let block = Block { section: &name, accessible: number % 2 == 0, ..*block };
            self.block(&block, 0, |row, i| {
                let (out, along) = (f64::from(row) * 0.8, from_middle(i, block.seats) * 0.5);
                (x + nx * out + ny * along, y + ny * out - nx * along)
            });
        }
    }

    /// Standing room: places in a grid, without labels; the first of them, along the barrier, take wheelchairs.
    pub(super) fn standing(&mut self, block: &Block<'_>, corner: (f64, f64), pitch: f64) {
        let mut seats = Vec::with_capacity(usize::from(block.rows) * usize::from(block.seats));
        for row in 0..block.rows {
            for i in 0..block.seats {
                let place = (corner.0 + f64::from(i) * pitch, corner.1 + f64::from(row) * pitch);
                seats.push(seat(String::new(), place, block.tier, row == 0));
            }
        }
        let rows = vec![Row { label: String::new(), seats }];
        self.plan.sections.push(Section { name: block.section.to_owned(), general_admission: true, rows });
    }

    /// The plan, its seats numbered.
    pub(super) fn finish(mut self) -> SeatPlan {
        let rows = self.plan.sections.iter_mut().flat_map(|section| &mut section.rows);
        for (seat_no, seat) in (0..).zip(rows.flat_map(|row| &mut row.seats)) {
            seat.seat_no = seat_no;
        }
        self.plan
    }
}

fn seat(label: String, (x, y): (f64, f64), tier: TierNo, accessible: bool) -> Seat {
    Seat { seat_no: 0, label, x: centimetres(x), y: centimetres(y), tier, accessible }
}

/// How many seats seat `i` of `seats` is right of the middle.
fn from_middle(i: u16, seats: u16) -> f64 {
    f64::from(i) - (f64::from(seats) - 1.0) / 2.0
}

#[expect(clippy::cast_possible_truncation, reason = "a house is some hundred metres wide")]
fn centimetres(metres: f64) -> f32 {
    ((metres * 100.0).round() / 100.0) as f32
}

/// `A` to `Z`, then `AA`, `BB`.
fn letters(row: u16) -> String {
    let letter = char::from(b'A' + u8::try_from(row % 26).unwrap_or(0));
    std::iter::repeat_n(letter, usize::from(row / 26) + 1).collect()
}

/// Angles (0 faces the stage, clockwise) that cut five sixths of the oval into pieces of one length; the gap is at the stage.
fn even_angles(oval: Oval, pieces: u16) -> Vec<f64> {
    const STEPS: u16 = 7_200;
    let open = TAU / 12.0;
    let (start, end) = (open - TAU / 2.0, TAU / 2.0 - open);
    let step = (end - start) / f64::from(STEPS);
    let speed = |angle: f64| (oval.half.0 * angle.cos()).hypot(oval.half.1 * angle.sin());
    let total: f64 = (0..STEPS).map(|i| speed(start + f64::from(i) * step) * step).sum();
    let mut angles = Vec::with_capacity(usize::from(pieces));
    let mut walked = 0.0;
    for i in 0..STEPS {
        let angle = start + f64::from(i) * step;
        let piece = u16::try_from(angles.len()).unwrap_or(pieces);
        if piece < pieces && walked >= total * (f64::from(piece) + 0.5) / f64::from(pieces) {
            angles.push(angle);
        }
        walked += speed(angle) * step;
    }
    angles
}
