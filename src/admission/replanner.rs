//! Planning what an earlier process had accepted.

use std::sync::Arc;

use async_trait::async_trait;

use super::{ModelCatalog, PromptCounter, Refusal, prompt::fit};
use crate::actors::{Accepted, KnownModel, PlanRefusal, PlannedRun, Planner};
use crate::domain::PromptParts;

/// Plans accepted responses as [`Admission`](super::Admission) plans new ones, from the models as they are
/// configured now.
#[derive(Debug, Clone)]
pub struct Replanner {
    /// The models that clients can name.
    pub models: Arc<ModelCatalog>,
    /// The most items of a history.
    pub history_items: usize,
    /// Counts tokens.
    pub counter: Arc<dyn PromptCounter>,
}

#[async_trait]
impl Planner for Replanner {
    fn model(&self, name: &str) -> Option<KnownModel> {
        let model = self.models.get(name)?;
        Some(KnownModel { encoding: model.encoding, targets: model.targets(0) })
    }

    fn history_items(&self) -> usize {
        self.history_items
    }

    async fn plan(&self, accepted: Accepted) -> Result<PlannedRun, PlanRefusal> {
        let Accepted { id, request, input, history } = accepted;
        let model = self.models.get(&request.model).ok_or(PlanRefusal::UnknownModel)?;
        let parts = PromptParts { response: id, request: &request, history: &history, input: &input };
        let (prompt, tokens) = fit(&parts, &model, self.counter.as_ref()).await.map_err(refusal)?;
        let targets = model.targets(tokens.saturating_add(request.max_output_tokens));
        Ok(PlannedRun { prompt, targets, encoding: model.encoding })
    }
}

fn refusal(refusal: Refusal) -> PlanRefusal {
    match refusal {
        Refusal::ContextTooLong { .. } | Refusal::HistoryTooLong { .. } => PlanRefusal::TooLong,
        Refusal::Violation(_)
        | Refusal::UnknownModel { .. }
        | Refusal::PreviousRunning { .. }
        | Refusal::Incoherent(_)
        | Refusal::Uncountable
        | Refusal::History(_) => PlanRefusal::Failed,
    }
}
