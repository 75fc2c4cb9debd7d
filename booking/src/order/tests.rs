//! The words are those of the tables and of JSON, and each step is one that the schema takes.

use super::*;

const ORDER: [OrderState; 8] = [
    OrderState::Pending,
    OrderState::Authorized,
    OrderState::Confirmed,
    OrderState::Captured,
    OrderState::Expired,
    OrderState::Voided,
    OrderState::Refunding,
    OrderState::Refunded,
];

#[test]
fn a_state_is_one_word_in_the_tables_and_in_json() {
    for state in ORDER {
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        assert_eq!(OrderState::parse(state.as_str()), Some(state));
    }
    assert_eq!(OrderState::parse("gone"), None);
    for state in payment_states() {
        assert_eq!(serde_json::to_value(&state).unwrap()["state"], state.as_str());
    }
    let topics = [EffectTopic::Capture, EffectTopic::Void, EffectTopic::Refund];
    assert_eq!(topics.map(EffectTopic::as_str), ["capture", "void", "refund"]);
}

#[test]
fn nine_steps_there_are_and_no_other() {
    let steps = ORDER.iter().flat_map(|from| ORDER.iter().map(move |to| (from, to)));
    let taken: Vec<String> = steps
        .filter(|(from, to)| from.may_become(**to))
        .map(|(from, to)| format!("{} {}", from.as_str(), to.as_str()))
        .collect();
    assert_eq!(
        taken,
        [
            "pending authorized",
            "pending expired",
            "authorized confirmed",
            "authorized voided",
            "confirmed captured",
            "confirmed refunding",
            "captured refunding",
            "expired authorized",
            "refunding refunded",
        ]
    );
}

#[test]
fn an_effect_is_asked_for_while_its_payment_waits_for_it() {
    let payment = |state: PaymentState, refunded: i64| PaymentAttempt {
        payment_id: PaymentId::new(),
        order_id: OrderId::new(),
        event_id: EventId::new(),
        provider: None,
        provider_ref: None,
        portal_url: None,
        amount: 50,
        currency: "USD".parse().unwrap(),
        refunded,
        state,
        created_at: Timestamp::UNIX_EPOCH,
    };
    for state in payment_states() {
        let awaits = |topic: EffectTopic, refunded| topic.is_awaited_by(&payment(state.clone(), refunded));
        assert_eq!(awaits(EffectTopic::Capture, 0), state == PaymentState::Capturing, "{state:?}");
        assert_eq!(awaits(EffectTopic::Void, 0), state == PaymentState::Voiding, "{state:?}");
        let is_here = matches!(state, PaymentState::Captured | PaymentState::Returning);
        assert_eq!(awaits(EffectTopic::Refund, 0), is_here, "{state:?}");
        assert!(!awaits(EffectTopic::Refund, 50), "all of it is back");
    }
}

fn payment_states() -> [PaymentState; 9] {
    [
        PaymentState::Created,
        PaymentState::Authorized,
        PaymentState::Declined { reason: "no".into() },
        PaymentState::Capturing,
        PaymentState::Captured,
        PaymentState::Voiding,
        PaymentState::Voided,
        PaymentState::Returning,
        PaymentState::Returned,
    ]
}
