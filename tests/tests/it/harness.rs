//! The harness itself: a test's database is migrated, its own, and takes the fixture.

use tests::{Database, catalog};

#[tokio::test]
async fn each_test_has_a_migrated_database_of_its_own() {
    let (one, other) = tokio::join!(Database::migrated(), Database::migrated());
    let listing = catalog::on_sale(&one, "An evening", 25).await;
    assert_eq!(one.number("select count(*) from event").await, 1);
    assert_eq!(other.number("select count(*) from event").await, 0);
    let client = one.connect().await;
    let sql = "select capacity, slot from event where event_id = $1";
    let row = client.query_one(sql, &[&listing.event.0]).await.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i32>(1)), (25, 1));
}

#[tokio::test]
async fn the_log_position_moves_with_writes() {
    let database = Database::migrated().await;
    let before = database.lsn().await;
    catalog::on_sale(&database, "An evening", 10).await;
    assert!(database.lsn().await > before);
}
