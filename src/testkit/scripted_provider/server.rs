//! The server: a thread and a runtime of its own, so that nothing the test does can hold it up.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::connection::{ACCEPT_PAUSE, serve};
use super::records::Records;
use super::{RecordedRequest, Script};

/// A Chat Completions server on `127.0.0.1` that plays a script for each request. Stops when dropped.
#[derive(Debug)]
pub struct ScriptedProvider {
    address: SocketAddr,
    records: Arc<Records>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ScriptedProvider {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// If no port or no thread is available.
    #[must_use]
    pub fn start() -> Self {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a non-blocking listener");
        let address = listener.local_addr().expect("the listener's address");
        let records = Arc::new(Records::default());
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&records);
        let thread = std::thread::Builder::new().name("scripted-provider".to_owned());
        let thread = thread.spawn(move || run(listener, &shared, stopped)).expect("a thread");
        Self { address, records, stop: Some(stop), thread: Some(thread) }
    }

    /// The address that goes in front of `/chat/completions`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Adds a script for requests of that model, `""` for those that name none. Each request takes one; the last one
    /// serves all that follow.
    pub fn script(&self, model: &str, script: Script) {
        self.records.add_script(model, script);
    }

    /// Has requests refused with a 400 for which there is a reason. They take no script.
    pub fn refuse(&self, objection: impl Fn(&RecordedRequest) -> Option<String> + Send + 'static) {
        self.records.object(Box::new(objection));
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.records.requests()
    }

    /// Waits for the request of that number, from 1.
    ///
    /// # Panics
    /// For number 0.
    pub async fn wait_for_request(&self, number: usize) -> RecordedRequest {
        self.records.wait_for_request(number).await
    }

    /// Waits until the client has closed the connection of the request of that number, from 1.
    pub async fn connection_closed(&self, number: usize) {
        self.records.wait_for_close(number).await;
    }
}

impl Drop for ScriptedProvider {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn run(listener: StdListener, records: &Arc<Records>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener).expect("a listener of the runtime");
        tokio::select! {
            () = accept(&listener, records) => {}
            _ = stopped => {}
        }
    });
}

async fn accept(listener: &TcpListener, records: &Arc<Records>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let records = Arc::clone(records);
        tokio::spawn(async move {
            // Some scripts break the connection on purpose.
            let _broken = serve(socket, &records).await;
        });
    }
}
