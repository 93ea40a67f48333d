//! The endpoints, one a file, and which path leads to which of them.

mod cancel_response;
mod create_response;
mod delete_response;
mod health;
mod input_items;
mod models;
mod retrieve_response;

use actix_web::{
    HttpResponse, Resource,
    dev::{HttpServiceFactory, Service as _},
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
        .service(only(web::resource("/live").route(web::get().to(health::live)), "GET"))
        .service(only(web::resource("/ready").route(web::get().to(health::ready)), "GET"))
        .default_service(web::to(no_route))
        .wrap(CatchPanic::default())
        .wrap(from_fn(identify))
}

fn api(config: &mut ServiceConfig) {
    let responses = web::resource("/responses").route(web::post().to(create_response::create_response));
    let response = web::resource("/responses/{response_id}")
        .route(web::get().to(retrieve_response::retrieve_response))
        .route(web::delete().to(delete_response::delete_response));
    let cancel =
        web::resource("/responses/{response_id}/cancel").route(web::post().to(cancel_response::cancel_response));
    let input_items =
        web::resource("/responses/{response_id}/input_items").route(web::get().to(input_items::input_items));
    let models = web::resource("/models").route(web::get().to(models::list_models));
    let model = web::resource("/models/{model:.+}").route(web::get().to(models::retrieve_model));
    config
        .service(only(responses, "POST"))
        .service(only(response, "GET, DELETE"))
        .service(only(cancel, "POST"))
        .service(only(input_items, "GET"))
        .service(only(models, "GET"))
        .service(only(model, "GET"));
}

/// A resource that says which methods it has when it is asked with another.
pub(super) fn only(resource: Resource, methods: &'static str) -> Resource {
    resource.default_service(web::to(move || async move {
        Err::<HttpResponse, ApiError>(ApiError::method_not_allowed(methods))
    }))
}
