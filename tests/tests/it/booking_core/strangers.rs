//! Whoever asks for events that do not exist: answered from memory, without a lane, and in nobody's way.

use super::Core;
use booking::{Ask, Reservation, ReserveError, ReserveRequest};
use futures::future::join_all;
use model::{EventId, UserId};

async fn ask(core: &Core, buyer: UserId, event: EventId) -> Result<Reservation, ReserveError> {
    core.booking.reserve(buyer, ReserveRequest { event, ask: Ask::Seats(vec![0]), code: None }, "k").await
}

#[tokio::test]
async fn an_event_that_does_not_exist_is_looked_up_once() {
    let core = Core::new().await;
    let (buyer, nowhere) = (core.buyer().await, EventId::new());
    assert!(matches!(ask(&core, buyer, nowhere).await, Err(ReserveError::NoSuchEvent)));
    // A look-up would fail from now on.
    core.database.connect().await.batch_execute("alter table event rename to renamed").await.unwrap();
    for answer in join_all((0..1_000).map(|_| ask(&core, buyer, nowhere))).await {
        assert!(matches!(answer, Err(ReserveError::NoSuchEvent)), "{answer:?}");
    }
    assert!(matches!(ask(&core, buyer, EventId::new()).await, Err(ReserveError::Failed(_))));
}

#[tokio::test]
async fn a_storm_of_invented_events_starts_no_lane_and_delays_none() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    core.seats(buyer, &[0], "first").await.unwrap();
    let storm = join_all((0..5_000).map(|_| ask(&core, buyer, EventId::new())));
    let (answers, real) = futures::join!(storm, core.seats(buyer, &[1], "amid"));
    assert_eq!(real.unwrap().seats[0].seat_no, 1);
    let looked_up = answers.iter().filter(|answer| matches!(answer, Err(ReserveError::NoSuchEvent))).count();
    let turned_away = answers.iter().filter(|answer| matches!(answer, Err(ReserveError::Busy))).count();
    assert_eq!((looked_up + turned_away, looked_up > 0, turned_away > 0), (5_000, true, true));
    assert_eq!(core.number("select count(*) from lane").await, 1);
    core.audit().await;
}
