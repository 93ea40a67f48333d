//! The server that listens.

use std::{io, net::TcpListener};

use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web};
use actix_web_lab::middleware::CatchPanic;

use super::{
    HttpState,
    envelope::no_route,
    page::page,
    request_id::identify,
    routes::{health, scope},
};

/// Serves the API under `/v1`, `/health`, and the page at `/` if the settings say so, on a listener. The server runs as long as the returned future
/// is polled; its handle stops it. Signals are left to the caller, who has responses to drain first.
///
/// # Errors
/// If the listener can't be used.
pub fn serve(listener: TcpListener, state: HttpState) -> io::Result<Server> {
    let settings = state.settings.clone();
    let has_page = settings.page;
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
    let server = match settings.workers {
        Some(workers) => server.workers(workers),
        None => server,
    };
    let server = server
        // A client that closes is gone: else a silent stream would notice it only by its next writes.
        .h1_allow_half_closed(false)
        .tcp_nodelay(true)
        .disable_signals()
        .client_request_timeout(settings.request_timeout)
        .keep_alive(settings.idle_timeout)
        .shutdown_timeout(settings.shutdown_timeout.as_secs())
        .listen(listener)?;
    Ok(server.run())
}
