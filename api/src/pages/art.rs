//! Cover art for concerts without a picture: an SVG drawn from the genre and a seed of the programme.
//!
//! Pure and deterministic, so one address is one picture for ever; the genre chooses the figure, the seed its colours and measure.

use crate::problem::Problem;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use std::f64::consts::PI;
use std::fmt;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;

/// Ground from, ground to, figure, light.
const PALETTES: [[&str; 4]; 10] = [
    ["#3b0f22", "#8c1c3c", "#f3b9a6", "#ffe6cf"],
    ["#0e2238", "#1f4e79", "#9cc9e8", "#e9f5ff"],
    ["#10291f", "#23664a", "#a9dcbf", "#f0fae9"],
    ["#2a1747", "#5b3a9b", "#cdb8f5", "#f6efff"],
    ["#3a1d08", "#a2561a", "#f5c98b", "#fff3dc"],
    ["#0d2b2f", "#1c6b70", "#9fdcd8", "#e8fbf6"],
    ["#2b1220", "#7a2e5a", "#efafd0", "#fff0f6"],
    ["#1b1f2e", "#47506e", "#b9c3df", "#f2f5fc"],
    ["#2e2408", "#7c651b", "#e8d58c", "#fffae3"],
    ["#31110d", "#a03a27", "#f6b49b", "#fff0e6"],
];

/// A small generator of numbers from a seed (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound)).unwrap_or_default()
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.below(10_000)) / 10_000.0
    }
}

/// `GET /art/{genre}-{seed}.svg`.
pub(super) async fn serve(Path(name): Path<String>) -> Result<Response, Problem> {
    let none = || Problem::not_found("no-such-art", "There is no such picture");
    let (genre, seed) = name.strip_suffix(".svg").and_then(|stem| stem.rsplit_once('-')).ok_or_else(none)?;
    let seed = u64::from_str_radix(seed, 16).map_err(|_| none())?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, draw(genre, seed)).into_response())
}

/// The picture.
fn draw(genre: &str, seed: u64) -> String {
    let mut chance = Chance(seed);
    let palette = PALETTES[chance.below(10) as usize];
    let [from, to, figure, light] = palette;
    let tilt = chance.below(90);
    let (glow_x, glow_y) = (chance.below(100), chance.below(60));
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="xMidYMid slice"><defs><linearGradient id="g" gradientTransform="rotate({tilt})"><stop stop-color="{from}"/><stop offset="1" stop-color="{to}"/></linearGradient><radialGradient id="l" cx="{glow_x}%" cy="{glow_y}%" r="75%"><stop stop-color="{light}" stop-opacity=".38"/><stop offset="1" stop-color="{light}" stop-opacity="0"/></radialGradient></defs><rect width="{WIDTH}" height="{HEIGHT}" fill="url(#g)"/><rect width="{WIDTH}" height="{HEIGHT}" fill="url(#l)"/>"#
    );
    let shapes = match genre.to_ascii_lowercase() {
        genre if genre.contains("opera") || genre.contains("vocal") || genre.contains("film") => curtain(&mut chance),
        genre if genre.contains("choral") => arches(&mut chance),
        genre if genre.contains("chamber") || genre.contains("recital") => rings(&mut chance),
        genre if genre.contains("concerto") => strings(&mut chance),
        genre if genre.contains("family") || genre.contains("outdoor") || genre.contains("young") => discs(&mut chance),
        genre if genre.contains("symphon") => rows(&mut chance),
        _ if chance.below(2) == 0 => rows(&mut chance),
        _ => strings(&mut chance),
    };
    put(
        &mut svg,
        format_args!(r#"<g fill="none" stroke="{figure}" stroke-width="1.6" color="{light}">{shapes}</g></svg>"#),
    );
    svg
}

fn put(svg: &mut String, shape: fmt::Arguments<'_>) {
    svg.push_str(&shape.to_string());
}

/// The rows of an orchestra, seen from above.
fn rows(chance: &mut Chance) -> String {
    let (x, y) = (chance.between(160.0, 480.0), chance.between(330.0, 440.0));
    let step = chance.between(21.0, 30.0);
    let mut out = String::new();
    for row in 2..15_u32 {
        let radius = step * f64::from(row);
        let seats = (PI * radius / chance.between(15.0, 19.0)).floor();
        let opacity = 0.95 - f64::from(row) * 0.05;
        put(
            &mut out,
            format_args!(
                r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius:.1}" stroke-width="7" stroke-linecap="round" opacity="{opacity:.2}" stroke-dasharray="0.1 {:.2}"/>"#,
                2.0 * PI * radius / (2.0 * seats)
            ),
        );
    }
    out
}

/// Strings, sounding.
fn strings(chance: &mut Chance) -> String {
    let middle = chance.between(150.0, 250.0);
    let (swing, waves) = (chance.between(30.0, 80.0), chance.between(0.8, 1.7));
    let mut out = String::new();
    for string in 0..26_u32 {
        let share = f64::from(string) / 25.0;
        let mut path = String::new();
        for step in 0..=32_u32 {
            let x = WIDTH * f64::from(step) / 32.0;
            let envelope = (PI * f64::from(step) / 32.0).sin();
            let phase = 2.0 * PI * waves * f64::from(step) / 32.0 + share * 2.2;
            let y = middle + (share - 0.5) * 220.0 + phase.sin() * swing * envelope * (1.0 - share * 0.6);
            put(&mut path, format_args!("{}{x:.0} {y:.1}", if step == 0 { 'M' } else { 'L' }));
        }
        put(&mut out, format_args!(r#"<path d="{path}" opacity="{:.2}"/>"#, 0.25 + 0.6 * (1.0 - share)));
    }
    out
}

/// A curtain's folds.
fn curtain(chance: &mut Chance) -> String {
    let folds = 18 + chance.below(10);
    let lift = chance.between(40.0, 150.0);
    let mut out = String::new();
    for fold in 0..=folds {
        let share = f64::from(fold) / f64::from(folds);
        let x = WIDTH * share;
        let foot = HEIGHT - lift * (PI * share).sin();
        let lean = (share - 0.5) * 60.0;
        let opacity = chance.between(0.25, 0.8);
        put(
            &mut out,
            format_args!(
                r#"<path d="M{x:.0} 0C{x:.0} {:.0} {:.0} {:.0} {:.0} {foot:.0}" stroke-width="{:.1}" opacity="{opacity:.2}"/>"#,
                foot * 0.5,
                x - lean,
                foot * 0.7,
                x - lean * 0.4,
                chance.between(1.0, 7.0)
            ),
        );
    }
    out
}

/// The arches of a nave.
fn arches(chance: &mut Chance) -> String {
    let x = chance.between(240.0, 400.0);
    let mut out = String::new();
    for arch in 1..12_u32 {
        let half = f64::from(arch) * 27.0;
        let spring = HEIGHT - f64::from(arch) * 16.0;
        put(
            &mut out,
            format_args!(
                r#"<path d="M{:.0} {HEIGHT}V{spring:.0}A{half:.0} {half:.0} 0 0 1 {:.0} {spring:.0}V{HEIGHT}" opacity="{:.2}"/>"#,
                x - half,
                x + half,
                1.0 - f64::from(arch) * 0.065
            ),
        );
    }
    out
}

/// A few voices, each a set of rings, sounding into each other.
fn rings(chance: &mut Chance) -> String {
    let mut out = String::new();
    for _ in 0..4 {
        let (x, y) = (chance.between(110.0, 530.0), chance.between(90.0, 310.0));
        for ring in 1..9_u32 {
            let radius = f64::from(ring * ring) * 1.9 + f64::from(ring) * 9.0;
            let opacity = 0.9 - f64::from(ring) * 0.09;
            put(&mut out, format_args!(r#"<circle cx="{x:.0}" cy="{y:.0}" r="{radius:.0}" opacity="{opacity:.2}"/>"#));
        }
    }
    out
}

/// Discs of light.
fn discs(chance: &mut Chance) -> String {
    let mut out = String::new();
    for _ in 0..15 {
        let (x, y) = (chance.between(0.0, WIDTH), chance.between(0.0, HEIGHT));
        let (radius, opacity) = (chance.between(14.0, 78.0), chance.between(0.1, 0.34));
        put(
            &mut out,
            format_args!(
                r#"<circle cx="{x:.0}" cy="{y:.0}" r="{radius:.0}" fill="currentColor" stroke="none" opacity="{opacity:.2}"/>"#
            ),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_is_one_picture() {
        for genre in ["Orchestral", "Concerto", "OperaVocal", "Choral", "Chamber", "Family", ""] {
            let picture = draw(genre, 7);
            assert_eq!(picture, draw(genre, 7));
            assert_ne!(picture, draw(genre, 8), "{genre}");
            assert!(picture.ends_with("</g></svg>") && !picture.contains("NaN") && picture.len() < 16_000, "{genre}");
        }
    }
}
