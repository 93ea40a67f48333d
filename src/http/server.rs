//! The server that listens.

use std::{io, net::TcpListener};

use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web};
use actix_web_lab::middleware::CatchPanic;

use super::{
    HttpState, ServerOptions,
    endpoints::{health, scope},
    envelope::no_route,
    page::page,
    request_id::identify,
};

/// Serves the API under `/v1`, `/health`, and the page at `/` if the options say so, on a listener. The server runs as
/// long as the returned future is polled; its handle stops it. Signals are left to the caller, who has responses to
/// drain first. [`ServerOptions::listen`] is not read: the listener is there.
///
/// # Errors
/// If the listener can't be used.
pub fn serve(listener: TcpListener, state: HttpState, options: &ServerOptions) -> io::Result<Server> {
    let has_page = state.options.page;
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
            .wrap(from_fn(identify))
    });
    let server = match options.workers {
        0 => server,
        workers => server.workers(workers),
    };
    let server = server
        // A client that closes is gone: else a silent stream would notice it only by its next writes.
        .h1_allow_half_closed(false)
        .tcp_nodelay(true)
        .disable_signals()
        .client_request_timeout(options.header_timeout)
        .keep_alive(options.idle_timeout)
        .shutdown_timeout(options.shutdown_timeout.as_secs())
        .listen(listener)?;
    Ok(server.run())
}
