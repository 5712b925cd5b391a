//! Who is let in.

use std::sync::Arc;

use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use super::caller::Caller;
use crate::ids::ProcessId;

pub(super) type Service = StreamableHttpService<Caller, NeverSessionManager>;

/// The way in of one process.
pub(super) struct Door {
    pub(super) process: ProcessId,
    token: String,
    pub(super) service: Service,
}

impl Door {
    pub(super) fn new(process: ProcessId, caller: Caller) -> Self {
        // Each answer stands by itself: what a client leaves behind ends with its connection, and
        // there is no session to lose. A long call is kept alive by the stream's own pings.
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_sse_retry(None);
        let service = Service::new(move || Ok(caller.clone()), Arc::default(), config);
        // 244 random bits.
        let halves = [(); 2].map(|()| uuid::Uuid::new_v4().simple().to_string());
        Self {
            process,
            token: halves.concat(),
            service,
        }
    }

    /// What the process must show in each request.
    pub(super) fn password(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Whether that was shown. Takes as long for a near guess as for any other.
    pub(super) fn opens(&self, shown: &[u8]) -> bool {
        let wanted = self.password();
        let differ = wanted
            .bytes()
            .zip(shown)
            .fold(0, |sum, (a, b)| sum | (a ^ b));
        wanted.len() == shown.len() && std::hint::black_box(differ) == 0
    }
}
