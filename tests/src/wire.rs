//! A way to a server on this machine that can be made slow, or to swallow whatever is said on the connections it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The way. It is there as long as the test's runtime.
pub struct Wire {
    /// Where it begins, on the loopback interface.
    pub port: u16,
    /// Raised to silence every connection made before.
    silenced: watch::Sender<u32>,
    delay_ms: Arc<AtomicU64>,
}

impl Wire {
    /// Leads to a port of the loopback interface.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let wire = Self { port, silenced: watch::Sender::new(0), delay_ms: Arc::default() };
        let (silenced, delay_ms) = (wire.silenced.clone(), Arc::clone(&wire.delay_ms));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (silenced, delay_ms) = (silenced.subscribe(), Arc::clone(&delay_ms));
                tokio::spawn(carry(client, server, silenced, delay_ms));
            }
        });
        wire
    }

    /// From now on the connections it has are open, and deaf and dumb.
    pub fn silence(&self) {
        self.silenced.send_modify(|silenced| *silenced += 1);
    }

    /// From now on every piece of an answer takes so long.
    pub fn delay(&self, delay: Duration) {
        self.delay_ms.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

async fn carry(mut client: TcpStream, server: u16, mut silenced: watch::Receiver<u32>, delay_ms: Arc<AtomicU64>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        _ = copy_slowly(&mut from_server, &mut to_client, &delay_ms) => {}
        _ = silenced.changed() => std::future::pending().await,
    }
}

async fn copy_slowly(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    delay_ms: &AtomicU64,
) -> std::io::Result<()> {
    let mut piece = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut piece).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        tokio::time::sleep(Duration::from_millis(delay_ms.load(Ordering::Relaxed))).await;
        to.write_all(&piece[..count]).await?;
    }
}
