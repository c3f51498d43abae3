//! The server: addresses, connections, and the way to stop. What it will never know: what goes over a connection.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use kvorum_core::{Client, Error, ErrorKind, Result, planted};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::clock::after;
use crate::door::Door;
use crate::first_bytes::FirstBytes;
use crate::gateway::Gateway;
use crate::gather::Gathered;
use crate::half_closed::{HalfClosed, Owed};
use crate::options::{Connections, Options};

/// How long to wait when no connection can be accepted, for want of files, say.
const BREATH: Duration = Duration::from_millis(100);

/// What an HTTP/1 connection may hold of what came in and was not looked at: headers have to fit into it. It takes some
/// three times as much while a body comes in.
const HTTP1_BUFFER: usize = 16 << 10;

/// A running server. Dropped, it cuts its connections; see [`Server::stop`].
#[derive(Debug)]
#[must_use = "a server that is dropped stops"]
pub struct Server {
    addresses: Vec<SocketAddr>,
    gateway: Arc<Gateway>,
    tasks: JoinSet<()>,
}

/// Serves etcd's API over `client`, on the runtime that this is called on.
///
/// # Errors
///
/// [`ErrorKind::Io`], with the address, for one that cannot be listened on.
///
/// # Example
///
/// ```
/// # async fn example(node: &kvorum::Node) -> kvorum::Result<()> {
/// let options = kvorum_gateway::Options { listen: vec!["127.0.0.1:0".into()], ..Default::default() };
/// let server = kvorum_gateway::serve(node.client(), options).await?;
/// println!("etcdctl --endpoints {} put greeting hello", server.local_addresses()[0]);
/// server.stop(std::time::Duration::from_secs(5)).await;
/// # Ok(()) }
/// ```
pub async fn serve(client: Client, options: Options) -> Result<Server> {
    let mut listeners = Vec::new();
    for address in &options.listen {
        listeners.push(TcpListener::bind(address).await.map_err(|error| refused(address, &error))?);
    }
    begin(client, listeners, options)
}

/// The same on listeners that are bound already, instead of [`Options::listen`]: whoever connected to them before is
/// served now.
///
/// # Errors
///
/// [`ErrorKind::Io`] for a listener that cannot be listened on.
pub async fn serve_on(
    client: Client,
    listeners: Vec<std::net::TcpListener>,
    options: Options,
) -> Result<Server> {
    begin(client, taken(listeners)?, options)
}

fn taken(listeners: Vec<std::net::TcpListener>) -> Result<Vec<TcpListener>> {
    let taken = |listener: std::net::TcpListener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    let listeners = listeners.into_iter().map(taken).collect::<io::Result<_>>();
    listeners.map_err(|error| refused("a listener", &error))
}

fn listening_at(listeners: &[TcpListener]) -> Result<Vec<SocketAddr>> {
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>();
    addresses.map_err(|error| refused("a listener", &error))
}

fn begin(client: Client, listeners: Vec<TcpListener>, options: Options) -> Result<Server> {
    let addresses = listening_at(&listeners)?;
    let gateway = Gateway::new(client, options);
    let mut server = Server { addresses: Vec::new(), gateway, tasks: JoinSet::new() };
    server.tasks.spawn(server.gateway.clone().look_for_leader());
    server.serve_clients(listeners, addresses);
    Ok(server)
}

impl Server {
    /// Where it listens, in the order of [`Options::listen`].
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Answers on further listeners too, but only `/metrics`, `/health`, `/livez` and `/readyz`: for those who look at a
    /// member and must not touch what is in it. (The other listeners answer these as well.)
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] for a listener that cannot be listened on.
    pub fn serve_metrics_on(&mut self, listeners: Vec<std::net::TcpListener>) -> Result<()> {
        self.accept_all(taken(listeners)?, &Door::for_metrics(self.gateway.clone()));
        Ok(())
    }

    /// Serves clients on further listeners, too. A server that was begun on none, to be looked at
    /// ([`Server::serve_metrics_on`]) before there is a majority, tells the other members of itself only now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] for a listener that cannot be listened on.
    pub fn serve_clients_on(&mut self, listeners: Vec<std::net::TcpListener>) -> Result<()> {
        let listeners = taken(listeners)?;
        let addresses = listening_at(&listeners)?;
        self.serve_clients(listeners, addresses);
        Ok(())
    }

    fn serve_clients(&mut self, listeners: Vec<TcpListener>, addresses: Vec<SocketAddr>) {
        if self.addresses.is_empty() && !addresses.is_empty() {
            self.tasks.spawn(self.gateway.clone().publish());
        }
        self.addresses.extend(addresses);
        self.accept_all(listeners, &Door::new(self.gateway.clone()));
    }

    fn accept_all(&mut self, listeners: Vec<TcpListener>, door: &Door) {
        for listener in listeners {
            let (gateway, http) = (self.gateway.clone(), protocol(&self.gateway.options.connections));
            self.tasks.spawn(accept(listener, gateway, door.clone(), http));
        }
    }

    /// Stops: takes no more connections and requests, ends watches and other streams, and waits for what is under way,
    /// but not longer than `limit`. Then it cuts. It begins when this is called, and the limit holds also when every
    /// worker of the runtime is busy, if whoever awaits this is none of them (but `Runtime::block_on`, say).
    pub fn stop(mut self, limit: Duration) -> impl Future<Output = ()> + Send + use<> {
        self.gateway.stopping.cancel();
        let over = after(limit);
        async move {
            let ended = async { while self.tasks.join_next().await.is_some() {} };
            // What is cut then is cut by dropping its task.
            tokio::select! {
                () = ended => {}
                () = over => {}
            }
        }
    }
}

fn refused(address: &str, error: &io::Error) -> Error {
    ErrorKind::Io { action: format!("listening on {address}"), reason: error.to_string() }.into()
}

/// HTTP as it is spoken on a connection.
fn protocol(settings: &Connections) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let window =
        if planted!("small_messages_cut_the_connection") { 4 << 20 } else { settings.connection_window };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(HTTP1_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.streams)
        .initial_stream_window_size(settings.stream_window)
        .initial_connection_window_size(window)
        .keep_alive_interval(settings.ping_interval)
        .keep_alive_timeout(settings.ping_timeout);
    builder
}

/// Accepts connections until the server stops, then waits for those that are left.
async fn accept(listener: TcpListener, gateway: Arc<Gateway>, door: Door, http: Builder<TokioExecutor>) {
    let room = Arc::new(Semaphore::new(gateway.options.connections.limit.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let place = room.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            Some(_) = connections.join_next() => continue,
            () = gateway.stopping.cancelled() => break,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let talk = talk(stream, gateway.clone(), door.clone(), http.clone());
        connections.spawn(async move {
            talk.await;
            drop(place);
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// One connection. Whatever goes wrong on it is its client's to see.
async fn talk(stream: TcpStream, gateway: Arc<Gateway>, door: Door, http: Builder<TokioExecutor>) {
    // Answers are small, and somebody waits for each: none may wait for one that is not there yet.
    let _ = stream.set_nodelay(true);
    let (patience, owed) = (gateway.options.connections.header_timeout, Owed::default());
    let stream = HalfClosed::new(FirstBytes::new(stream, patience), owed.clone(), patience);
    let (stream, door) = (TokioIo::new(Gathered::new(stream)), door.of(owed));
    let mut connection = pin!(http.serve_connection_with_upgrades(stream, door));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = gateway.stopping.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
