//! The server that listens.

use std::{io, net::TcpListener, thread::available_parallelism};

use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web};
use actix_web_lab::middleware::CatchPanic;

use super::{
    HttpState, ServerOptions,
    connections::{Connections, most_connections, open_files_limit, within_limits},
    endpoints::{health, scope},
    envelope::no_route,
    page::page,
    request_id::identify,
};

/// The bytes of an answer that wait here for a socket that takes nothing, beside those that the system keeps.
const WRITE_BUFFER: usize = 16 * 1024;

/// Serves the API under `/v1`, `/health`, and the page at `/` if the options say so, on a listener. The server runs as
/// long as the returned future is polled; its handle stops it. Signals are left to the caller, who has responses to
/// drain first. [`ServerOptions::listen`] is not read: the listener is there.
///
/// It accepts as many connections as [`most_connections`] says. With more than half of them taken, each is closed after
/// its answer, and one without a request after [`ServerOptions::crowded_timeout`]. A few more are accepted for questions about health; all else is refused on these, with 503. On Linux a client
/// that takes nothing of an answer for [`HttpOptions::client_stall_timeout`](super::HttpOptions) loses its connection.
///
/// # Errors
/// If the listener can't be used.
pub fn serve(listener: TcpListener, state: HttpState, options: &ServerOptions) -> io::Result<Server> {
    let has_page = state.options.page;
    let most = most_connections(options, open_files_limit());
    let connections = Connections::new(most, state.options.client_stall_timeout, options.crowded_timeout);
    let accepted = connections.clone();
    let server = HttpServer::new(move || {
        App::new()
            .service(scope("/v1", state.clone()))
            .service(health(state.clone()))
            .configure(|config| {
                if has_page {
                    page(config)
                }
            })
            .default_service(web::to(no_route))
            .wrap(CatchPanic::default())
            .wrap(from_fn(within_limits))
            .wrap(from_fn(identify))
    });
    let workers = match options.workers {
        0 => available_parallelism()?.get(),
        workers => workers,
    };
    let server = server
        .workers(workers)
        .max_connections(connections.most_per_worker(workers))
        .on_connect(move |socket, data| accepted.accept(socket, data))
        // A client that closes is gone: else a silent stream would notice it only by its next writes.
        .h1_allow_half_closed(false)
        .tcp_nodelay(true)
        .h1_write_buffer_size(WRITE_BUFFER)
        .disable_signals()
        .client_request_timeout(options.header_timeout)
        .keep_alive(options.idle_timeout)
        .shutdown_timeout(options.shutdown_timeout.as_secs())
        .listen(listener)?;
    Ok(server.run())
}
