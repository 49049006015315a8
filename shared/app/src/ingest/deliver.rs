//! What is to be told is told by whoever ingests: the worker, the sweep, and the end of a document's way.

use futures_util::future::join_all;

use super::Ingest;
use crate::auth::TenantId;
use crate::db::Control;
use crate::error::Result;
use crate::webhooks::{self, Told};

/// Messages that are sent side by side: a slow endpoint holds up none but itself.
const DELIVERY_PAGE: i32 = 16;

impl Ingest {
    /// Sends messages that are due; gives how many got through. Never fails over somebody's endpoint.
    pub async fn deliver(&self) -> Result<usize> {
        if self.late() {
            return Ok(0);
        }
        let due = self.app.db.control(Control::DueDeliveries(DELIVERY_PAGE)).await?;
        let sent = due.into_iter().filter_map(|(tenant, message)| Some((TenantId::stored(tenant), message?)));
        let told = join_all(sent.map(|(tenant, message)| webhooks::deliver(&self.app, tenant, message))).await;
        let mut delivered = 0;
        for outcome in told {
            match outcome {
                Ok(told) => delivered += usize::from(told == Told::Delivered),
                Err(error) => tracing::warn!(cause = ?error, "ingest.deliver left a message"),
            }
        }
        Ok(delivered)
    }
}
