//! The smallest server with the whole API: `cargo run --example minimal_server -- 127.0.0.1:8080`.
#![expect(clippy::print_stdout, reason = "an example that talks")]

use std::{error::Error, net::TcpListener, sync::Arc, time::Duration};

use antiphon::access::Authenticator;
use antiphon::admission::Model;
use antiphon::domain::Target;
use antiphon::http::{self, HttpOptions, HttpState, ServerOptions};
use antiphon::provider::Eliza;
use antiphon::store::MemoryStore;
use antiphon::vault::{KeyRing, Vault};
use antiphon::{Antiphon, Clock as _, SystemClock};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());

    // Everything is in memory, encrypted by a key that nobody else ever sees: gone when the program ends.
    let store = Arc::new(MemoryStore::new());
    let vault = Vault::new(KeyRing::generate()?, store.clone());
    let antiphon = Antiphon::builder(store.clone(), vault.clone())
        .provider("local", Eliza::default())
        .model(Model::new("eliza", Target::new("local", "eliza")))
        .start()?;

    let user = antiphon.user_named("you").await?;
    let key = antiphon.accounts().create_key(user.id(), "first", SystemClock.now()).await?;
    let authenticator = Authenticator::new(store, vault.pepper());
    let state = HttpState::new(&antiphon, authenticator, HttpOptions::default());

    let listener = TcpListener::bind(address)?;
    println!("export OPENAI_BASE_URL=http://{}/v1 OPENAI_API_KEY={}", listener.local_addr()?, key.expose());
    let server = http::serve(listener, state, &ServerOptions::default())?;
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
