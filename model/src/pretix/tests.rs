//! Plans as pretix's editor writes them, and broken ones.
#![expect(clippy::float_cmp, reason = "centimetres are rounded to one float each")]

use super::*;
use serde_json::{Value, json};

fn seat(guid: &str, number: &str, x: f64, category: &str) -> Value {
    json!({"seat_guid": guid, "seat_number": number, "uuid": guid, "position": {"x": x, "y": 0}, "category": category})
}

fn theatre() -> Value {
    json!({
        "name": "Little Theatre",
        "size": {"width": 400, "height": 400},
        "categories": [{"name": "Stalls", "color": "#aabbcc"}, {"name": "Box"}],
        "zones": [{
            "name": "Ground floor", "zone_id": "ground", "uuid": "z1", "position": {"x": 20, "y": 100},
            "rows": [
                {"row_number": "1", "row_number_position": "both", "position": {"x": 40, "y": 0},
                    "seats": [seat("g-1-1", "1", 0.0, "Stalls"), seat("g-1-2", "2", 22.0, "Box")]},
                {"row_number": "2", "row_number_position": null, "row_label": "Row %s", "position": {"x": 40, "y": 40},
                    "seats": [seat("g-2-1", "1", 0.0, "Stalls")]},
            ],
            "areas": [{"shape": "rectangle", "rectangle": {"width": 200, "height": 40}, "position": {"x": 80, "y": -80},
                "text": {"text": "Main Stage", "position": {"x": 100, "y": 20}, "size": 20, "color": "#000"}}],
        }],
    })
}

fn read(plan: &Value) -> Result<SeatPlan, PlanError> {
    serde_json::from_value::<PretixPlan>(plan.clone()).unwrap().into_plan()
}

/// The path that the refusal of a changed plan names.
fn fault(change: impl FnOnce(&mut Value)) -> String {
    let mut plan = theatre();
    change(&mut plan);
    read(&plan).unwrap_err().path().to_owned()
}

#[test]
fn zones_rows_and_categories_become_sections_rows_and_tiers() {
    let plan = read(&theatre()).unwrap();
    assert_eq!(
        (plan.name.as_str(), plan.tiers.as_slice()),
        ("Little Theatre", ["Stalls".to_owned(), "Box".into()].as_slice())
    );
    assert_eq!((plan.width, plan.height), (10.0, 10.0));
    // 40 pixels are a metre: zone and area together are 100 to the right and 20 down.
    assert_eq!(plan.stage, [2.5, 0.5, 5.0, 1.0]);
    let seats: Vec<_> = plan.seats().map(|(section, row, seat)| (&*section.name, &*row.label, seat.clone())).collect();
    let one = |seat_no, label: &str, x, y, tier| Seat { seat_no, label: label.into(), x, y, tier, accessible: false };
    let expected = [
        ("Ground floor", "1", one(0, "1", 1.5, 2.5, 0)),
        ("Ground floor", "1", one(1, "2", 2.05, 2.5, 1)),
        ("Ground floor", "2", one(2, "1", 1.5, 3.5, 0)),
    ];
    assert_eq!(seats, expected);
}

#[test]
fn one_file_gives_one_hash_and_another_another() {
    let hash = |plan: &Value| read(plan).unwrap().canonical().unwrap().0;
    let mut coloured = theatre();
    coloured["categories"][1]["color"] = json!("red");
    coloured["zones"][0]["uuid"] = json!("another");
    assert_eq!(hash(&coloured), hash(&theatre()), "what is not kept makes no difference");
    let mut moved = theatre();
    moved["zones"][0]["rows"][0]["seats"][0]["position"]["x"] = json!(4);
    assert_ne!(hash(&moved), hash(&theatre()));
}

#[test]
fn a_row_number_again_stands_across_the_aisle() {
    let mut plan = theatre();
    let right = json!({"row_number": "1", "seats": [seat("r-1", "11", 300.0, "Stalls")]});
    plan["zones"][0]["rows"].as_array_mut().unwrap().push(right);
    let plan = read(&plan).unwrap();
    let sections: Vec<_> = plan.sections.iter().map(|section| (&*section.name, section.rows.len())).collect();
    assert_eq!(sections, [("Ground floor", 2), ("Ground floor (2)", 1)]);
    assert_eq!(plan.sections[1].rows[0].seats[0].seat_no, 3);
}

#[test]
fn a_plan_is_large_enough_for_its_seats() {
    let mut plan = theatre();
    plan["size"] = json!({"width": 0, "height": 0});
    plan["zones"][0]["position"] = json!({"x": -100.5, "y": -40});
    plan["zones"][0]["areas"] = json!([{"shape": "circle", "circle": {"radius": 9_000_000_000_i64},
        "text": {"text": "Bühne", "position": {"x": 0, "y": 0}}}]);
    let plan = read(&plan).unwrap();
    let first = &plan.sections[0].rows[0].seats[0];
    assert_eq!((first.x, first.y), (1.0, 1.0));
    assert_eq!((plan.width, plan.height), (2.55, 3.0));
    assert_eq!(plan.stage, [0.0, 0.0, 2.55, 0.0], "no such stage: along the top");
}

#[test]
fn a_stage_may_have_any_shape() {
    let mut plan = theatre();
    let words = json!({"text": "La scène", "position": {"x": 0, "y": 0}});
    let shapes = [
        (json!({"ellipse": {"radius": {"x": 80, "y": 20}}}), [1.5, 3.0, 4.0, 1.0]),
        (json!({"circle": {"radius": 40}}), [2.5, 2.5, 2.0, 2.0]),
        (
            json!({"polygon": {"points": [{"x": 0, "y": -40}, {"x": 60, "y": 20}, {"x": -20, "y": 0}]}}),
            [3.0, 2.5, 2.0, 1.5],
        ),
        (json!({"shape": "text"}), [0.0, 0.0, 10.0, 0.0]),
    ];
    for (mut area, stage) in shapes {
        area["text"] = words.clone();
        area["position"] = json!({"x": 120, "y": 40});
        plan["zones"][0]["areas"] = json!([{"text": {"text": "Backstage bar", "position": {"x": 0, "y": 0}}}, area]);
        assert_eq!(read(&plan).unwrap().stage, stage, "{area}");
    }
}

#[test]
fn a_fault_is_named_by_its_place_in_the_file() {
    let row = |plan: &mut Value, field: &str, value: Value| plan["zones"][0]["rows"][1][field] = value;
    let seat_of = |field: &'static str, value: Value| {
        move |plan: &mut Value| plan["zones"][0]["rows"][0]["seats"][1][field] = value
    };
    let at = "zones[0].rows[0].seats[1]";
    assert_eq!(fault(|plan| plan["name"] = json!(" ")), "name");
    assert_eq!(fault(|plan| plan["categories"][1]["name"] = json!("Stalls")), "categories[1].name");
    assert_eq!(fault(|plan| plan["categories"][0]["name"] = json!("two\nlines")), "categories[0].name");
    assert_eq!(fault(|plan| row(plan, "row_number", json!("x".repeat(101)))), "zones[0].rows[1].row_number");
    assert_eq!(fault(seat_of("category", json!(""))), format!("{at}.category"));
    assert_eq!(fault(seat_of("seat_guid", json!("g-1-1"))), format!("{at}.seat_guid"));
    assert_eq!(fault(seat_of("seat_number", json!("1"))), format!("{at}.seat_number"));
    assert_eq!(fault(seat_of("seat_number", json!(""))), format!("{at}.seat_number"));
    assert_eq!(fault(seat_of("position", json!({"x": 1e9, "y": 0}))), format!("{at}.position"));
    assert_eq!(fault(|plan| plan["zones"] = json!([])), "");
    let again = |plan: &mut Value| {
        let mut zone = plan["zones"][0].clone();
        zone["rows"] = json!([{"row_number": "1", "seats": [seat("else", "1", 0.0, "Box")]}]);
        plan["zones"].as_array_mut().unwrap().push(zone);
    };
    assert_eq!(fault(again), "zones[1].name");
    let nameless = |plan: &mut Value| {
        plan["zones"][0]["name"] = json!("");
        plan["zones"][0]["zone_id"] = json!("");
    };
    assert_eq!(fault(nameless), "zones[0].name");
}

#[test]
fn what_has_no_name_takes_its_other_one() {
    let mut plan = theatre();
    plan["zones"][0].as_object_mut().unwrap().remove("name");
    plan["zones"][0]["rows"][0]["row_number"] = json!("");
    plan["zones"][0]["rows"][0]["row_label"] = json!("Front");
    let plan = read(&plan).unwrap();
    assert_eq!((&*plan.sections[0].name, &*plan.sections[0].rows[0].label), ("ground", "Front"));
}
