//! A database of one's own for each test, copied from a migrated template in a fraction of a second.

use crate::cluster::{self, Cluster};
use model::Lsn;
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio_postgres::NoTls;

/// The migrated database of every cluster that has one.
pub(crate) const TEMPLATE: &str = "frontrow_template";

/// A database that only this test knows. It goes with the cluster.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its name, unique in the cluster.
    pub name: String,
    /// How to connect as the owner of everything.
    pub url: String,
}

impl Database {
    /// A database with every migration applied.
    pub async fn migrated() -> Self {
        Self::create(TEMPLATE).await
    }

    /// A database with nothing in it.
    pub async fn empty() -> Self {
        Self::create("template1").await
    }

    /// An empty database on a cluster with settings of its own, such as `-c wal_level=replica`.
    pub async fn on_a_cluster_of_its_own(settings: &'static str) -> Self {
        let port = tokio::task::spawn_blocking(|| cluster::start(&cluster::directory(), settings));
        Self { name: "postgres".to_owned(), url: url(port.await.unwrap(), "postgres") }
    }

    /// An empty database on a cluster of its own that lets `shop`, a superuser, in over TLS alone; its certificate is for
    /// `localhost`. Gives with it the file of the authority that signed it.
    pub async fn behind_tls() -> (Self, PathBuf) {
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (pem, key) = (certificate.cert.pem(), certificate.signing_key.serialize_pem());
        let settings = |dir: &Path| {
            let dir = dir.display();
            format!(
                "-c wal_level=logical -c ssl=on -c ssl_cert_file={dir}/server.crt -c ssl_key_file={dir}/server.key -c hba_file={dir}/hba"
            )
        };
        let hba = "local all all trust\nhostssl all shop 127.0.0.1/32 trust\nhostnossl all postgres 127.0.0.1/32 trust\n\
                   hostssl replication shop 127.0.0.1/32 trust\n";
        let cluster = tokio::task::spawn_blocking(move || {
            cluster::separate_with(&[("server.crt", &pem), ("server.key", &key), ("hba", hba)], settings)
        });
        let (port, dir) = cluster.await.unwrap();
        let database = Self { name: "postgres".to_owned(), url: url(port, "postgres") };
        database.connect().await.batch_execute("create role shop superuser login").await.unwrap();
        (database, dir.join("server.crt"))
    }

    async fn create(template: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let Cluster { port, .. } = tokio::task::spawn_blocking(cluster::shared).await.unwrap();
        let admin = connect(&url(*port, "postgres")).await;
        admin.batch_execute(&format!("create database {name} template {template}")).await.unwrap();
        Self { url: url(*port, &name), name }
    }

    /// A connection that lives as long as its client.
    pub async fn connect(&self) -> tokio_postgres::Client {
        connect(&self.url).await
    }

    /// A pool of the kind the program uses.
    pub async fn pool(&self) -> PgPool {
        PgPool::connect(&self.url).await.unwrap()
    }

    /// Where the write-ahead log stands now: an LSN at or past everything committed so far.
    pub async fn lsn(&self) -> Lsn {
        let row = self.connect().await.query_one("select pg_current_wal_insert_lsn()::text", &[]).await.unwrap();
        row.get::<_, &str>(0).parse().unwrap()
    }

    /// One number that a statement answers with: counts, mostly.
    pub async fn number(&self, sql: &str) -> i64 {
        self.connect().await.query_one(sql, &[]).await.unwrap().get(0)
    }
}

pub(crate) fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Migrates the template; on a thread of its own, since callers may stand in a runtime.
pub(crate) fn make_template(port: u16) {
    let work = async move {
        connect(&url(port, "postgres")).await.batch_execute(&format!("create database {TEMPLATE}")).await.unwrap();
        let pool = PgPool::connect(&url(port, TEMPLATE)).await.unwrap();
        Migrator::new(crate::repository().join("migrations")).await.unwrap().run(&pool).await.unwrap();
        pool.close().await;
    };
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    })
    .join()
    .unwrap();
}
