//! Antiphon inside an actix app that has users, routes and a login of its own:
//! `cargo run --example embed_in_app -- 127.0.0.1:8080`.
#![expect(clippy::print_stdout, reason = "an example that talks")]

use std::{collections::HashMap, error::Error, sync::Arc, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, error::ErrorInternalServerError, web};
use antiphon::access::{AuthError, Principal};
use antiphon::admission::Model;
use antiphon::domain::Target;
use antiphon::http::{self, Authenticate, HttpOptions, HttpState};
use antiphon::protocol::{CreateResponse, UserId};
use antiphon::provider::Eliza;
use antiphon::store::MemoryStore;
use antiphon::vault::{KeyRing, Vault};
use antiphon::{Antiphon, User};

/// The app's own sessions: which token belongs to whom.
#[derive(Debug, Clone)]
struct Sessions(Arc<HashMap<String, UserId>>);

#[async_trait::async_trait]
impl Authenticate for Sessions {
    async fn authenticate(&self, bearer: &str) -> Result<Principal, AuthError> {
        let user = *self.0.get(bearer).ok_or(AuthError::InvalidKey)?;
        Ok(Principal { user, key_id: format!("session of {user}") })
    }
}

/// A route of the app that has a model answer.
async fn greeting(ada: web::Data<User>) -> actix_web::Result<HttpResponse> {
    let events = ada.respond(CreateResponse::text("eliza", "Hello.")).await.map_err(ErrorInternalServerError)?;
    let response = events.ending().await.map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().body(format!("{}: {}", response.status.as_str(), response.output_text())))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let store = Arc::new(MemoryStore::new());
    let vault = Vault::new(KeyRing::generate()?, store.clone());
    let antiphon = Antiphon::builder(store, vault)
        .provider("local", Eliza::default())
        .model(Model::new("eliza", Target::new("local", "eliza")))
        .start()?;
    let ada = antiphon.user_named("ada").await?;
    let sessions = Sessions(Arc::new([("token-of-ada".to_owned(), ada.id())].into()));
    let state = HttpState::new(&antiphon, sessions, HttpOptions::default());

    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(ada.clone()))
            .route("/greeting", web::get().to(greeting))
            .service(http::scope("/ai/v1", state.clone()))
    });
    let server = server.workers(2).bind(address)?;
    for address in server.addrs() {
        println!("http://{address}/greeting, and OPENAI_BASE_URL=http://{address}/ai/v1 OPENAI_API_KEY=token-of-ada");
    }
    let server = server.disable_signals().run();
    let handle = server.handle();
    let stop = async {
        tokio::signal::ctrl_c().await?;
        // What runs may end, and be read to its end; after that the sockets.
        antiphon.drain(Duration::from_secs(10)).await;
        handle.stop(true).await;
        Ok(())
    };
    tokio::try_join!(server, stop)?;
    Ok(())
}
