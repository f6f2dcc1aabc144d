//! The page's listener: accepts connections, TLS where it is configured, HTTP/1.1 with bounds on every client.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::gate::Peer;
use super::limits::{
    CONNECTIONS_MAX, HANDSHAKE_WITHIN, HEADER_BYTES_MAX, HEADERS_MAX, HEADERS_WITHIN, UNSENT_MAX_MS,
};
use super::shares::Shares;
use super::{PageError, Site, routes};
use wardlink::tls;

/// Wait after a connection that could not be accepted, as when all file descriptors are in use.
const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// TLS with this certificate chain and key; `None` without them.
pub(super) fn acceptor(identity: Option<&(PathBuf, PathBuf)>) -> Result<Option<TlsAcceptor>, PageError> {
    let config = identity.map(|(cert, key)| tls::server_config(cert, key)).transpose()?;
    Ok(config.map(TlsAcceptor::from))
}

/// Serves until `stopped`.
pub(super) async fn serve(
    site: Arc<Site>,
    listener: std::net::TcpListener,
    tls: Option<TlsAcceptor>,
    mut stopped: watch::Receiver<bool>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("the page is not served: {error}; restart wardpost"),
    };
    let router = routes::router(&site);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let shares = Shares::default();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = until(&mut stopped) => return,
        };
        let (stream, peer, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("the page could not accept a connection: {error}");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        // One that exceeds the share of its address is closed.
        let Some(share) = shares.take(peer.ip()) else { continue };
        let service = TowerToHyperService::new(router.clone());
        let (tls, stopped) = (tls.clone(), stopped.clone());
        tokio::spawn(async move {
            let _places = (place, share);
            let Some(tls) = tls else { return talk(stream, peer, service, stopped).await };
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await {
                talk(stream, peer, service, stopped).await;
            }
        });
    }
}

/// Waits for the stop; the end of its sender is one, too.
pub(super) async fn until(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    rustix::net::sockopt::set_tcp_user_timeout(&stream, UNSENT_MAX_MS)?;
    Ok((stream, peer, place))
}

/// Serves the requests of one connection.
async fn talk<S>(
    stream: S,
    peer: SocketAddr,
    service: TowerToHyperService<axum::Router>,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let with_peer = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let answered = service.call(request);
        async move { Ok::<_, Infallible>(answered.await.unwrap_or_else(|never| match never {})) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), with_peer);
    tokio::pin!(connection);
    tokio::select! {
        // A client that goes away, or talks nonsense, is no news.
        ended = connection.as_mut() => drop(ended),
        () = until(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(super::STOP_PATIENCE, connection).await;
        }
    }
}
