//! The endpoints, one a file, and which path leads to which of them.

mod cancel_response;
mod create_response;
mod delete_response;
mod health;
mod input_items;
mod models;
mod retrieve_response;

use actix_web::{
    HttpResponse, Resource, Route,
    dev::{HttpServiceFactory, Service as _},
    guard,
    middleware::from_fn,
    web::{self, ServiceConfig},
};
use actix_web_lab::middleware::CatchPanic;

use super::{ApiError, HttpState, envelope::no_route, in_flight::counted, request_id::identify};

/// The whole API under a path, to be a service of any actix app.
pub fn scope(path: &str, state: HttpState) -> impl HttpServiceFactory + 'static {
    let in_flight = state.in_flight.clone();
    web::scope(path)
        .app_data(web::Data::new(state))
        .configure(api)
        .default_service(web::to(no_route))
        .wrap(CatchPanic::default())
        .wrap(from_fn(identify))
        .wrap_fn(move |request, service| {
            let (flight, answer) = (in_flight.enter(), service.call(request));
            async move { Ok(counted(answer.await?, flight)) }
        })
}

/// `/health/live` and `/health/ready`, for whoever watches the server; they need no key.
pub fn health(state: HttpState) -> impl HttpServiceFactory + 'static {
    web::scope("/health")
        .app_data(web::Data::new(state))
        .service(only(resource("/live").route(get().to(health::live)), "GET, HEAD"))
        .service(only(resource("/ready").route(get().to(health::ready)), "GET, HEAD"))
        .default_service(web::to(no_route))
        .wrap(CatchPanic::default())
        .wrap(from_fn(identify))
}

fn api(config: &mut ServiceConfig) {
    let responses = resource("/responses").route(web::post().to(create_response::create_response));
    let response = resource("/responses/{response_id}")
        .route(get().to(retrieve_response::retrieve_response))
        .route(web::delete().to(delete_response::delete_response));
    let cancel = resource("/responses/{response_id}/cancel").route(web::post().to(cancel_response::cancel_response));
    let input_items = resource("/responses/{response_id}/input_items").route(get().to(input_items::input_items));
    let models = resource("/models").route(get().to(models::list_models));
    let model = resource("/models/{model:.*[^/]}").route(get().to(models::retrieve_model));
    // Words of the API that are no ids: endpoints that this server does not have.
    let missing = ["/responses/compact", "/responses/input_tokens"].map(|path| resource(path).to(no_route));
    let [compact, input_tokens] = missing;
    config
        .service(compact)
        .service(input_tokens)
        .service(only(responses, "POST"))
        .service(only(response, "GET, HEAD, DELETE"))
        .service(only(cancel, "POST"))
        .service(only(input_items, "GET, HEAD"))
        .service(only(models, "GET, HEAD"))
        .service(only(model, "GET, HEAD"));
}

/// The resource at a path, with or without a slash at its end.
fn resource(path: &str) -> Resource {
    web::resource([path.to_owned(), format!("{path}/")])
}

/// The route of GET, and of HEAD, which is the same without a body.
fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// A resource that says which methods it has when it is asked with another.
pub(super) fn only(resource: Resource, methods: &'static str) -> Resource {
    resource.default_service(web::to(move || async move {
        Err::<HttpResponse, ApiError>(ApiError::method_not_allowed(methods))
    }))
}
