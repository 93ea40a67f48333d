//! The rows of responses.

use std::sync::LazyLock;

use antiphon_entities::response;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DerivePartialModel, EntityTrait,
    FromQueryResult, IdenStatic, Iterable, Statement, sea_query::SimpleExpr,
};

use crate::{
    columns::{response_id, response_key, user_id, user_key},
    error::SqlError,
};
use antiphon_domain::{Cause, Timestamp};
use antiphon_protocol::{ResponseId, Status};
use antiphon_store::{AdmissionRecord, Error, ResponseRow};

/// A row of `responses` without the text of the answer.
#[derive(Debug, DerivePartialModel)]
#[sea_orm(entity = "response::Entity")]
struct PlainColumns {
    uuid: String,
    user_id: String,
    node: String,
    epoch: i64,
    status: String,
    cause: Option<String>,
    finish_reason: Option<String>,
    model: String,
    stored: bool,
    background: bool,
    previous: Option<String>,
    fold_version: i16,
    prompt_tokens: i64,
    created_at: i64,
    ended_at: Option<i64>,
}

/// The plain columns of a table `r`, for statements that are written by hand.
pub(super) static PLAIN_COLUMNS: LazyLock<String> = LazyLock::new(|| {
    use response::Column::{ContentEnc, SetAsideAt, SetAsideReason};
    let plain = response::Column::iter();
    let plain = plain.filter(|column| !matches!(column, ContentEnc | SetAsideAt | SetAsideReason));
    plain.map(|column| format!("r.{}", column.as_str())).collect::<Vec<_>>().join(", ")
});

impl TryFrom<PlainColumns> for ResponseRow {
    type Error = Error;

    fn try_from(row: PlainColumns) -> Result<Self, Error> {
        let cause = row.cause.map(|cause| Cause::parse(&cause).ok_or(Error::Corrupt { what: "responses.cause" }));
        let status = Status::parse(&row.status).ok_or(Error::Corrupt { what: "responses.status" })?;
        if status.is_terminal() != row.ended_at.is_some() {
            return Err(Error::Corrupt { what: "responses.ended_at" });
        }
        let previous = row.previous.map(|previous| response_id(&previous, "responses.previous"));
        Ok(Self {
            id: response_id(&row.uuid, "responses.uuid")?,
            user: user_id(&row.user_id, "responses.user_id")?,
            node: row.node,
            epoch: row.epoch,
            status,
            cause: cause.transpose()?,
            finish_reason: row.finish_reason,
            model: row.model,
            stored: row.stored,
            background: row.background,
            previous: previous.transpose()?,
            fold_version: row.fold_version,
            prompt_tokens: at_least_zero(row.prompt_tokens, "responses.prompt_tokens")?,
            created_at: Timestamp::from_micros(row.created_at),
            ended_at: row.ended_at.map(Timestamp::from_micros),
        })
    }
}

fn at_least_zero(count: i64, what: &'static str) -> Result<i64, Error> {
    if count < 0 { Err(Error::Corrupt { what }) } else { Ok(count) }
}

/// The row of a new response.
pub(super) fn new_response(admission: &AdmissionRecord) -> response::ActiveModel {
    let row = &admission.row;
    response::ActiveModel {
        uuid: Set(response_key(row.id)),
        user_id: Set(user_key(row.user)),
        node: Set(row.node.clone()),
        epoch: Set(row.epoch),
        status: Set(row.status.as_str().to_owned()),
        cause: Set(row.cause.map(|cause| cause.as_str().to_owned())),
        finish_reason: Set(row.finish_reason.clone()),
        model: Set(row.model.clone()),
        stored: Set(row.stored),
        background: Set(row.background),
        previous: Set(row.previous.map(response_key)),
        fold_version: Set(row.fold_version),
        prompt_tokens: Set(row.prompt_tokens),
        created_at: Set(row.created_at.as_micros()),
        ended_at: Set(row.ended_at.map(Timestamp::as_micros)),
        content_enc: Set(None),
        set_aside_at: Set(None),
        set_aside_reason: Set(None),
    }
}

/// The row of a response.
pub(super) async fn find(db: &impl ConnectionTrait, id: ResponseId) -> Result<Option<ResponseRow>, SqlError> {
    let row = response::Entity::find_by_id(response_key(id)).into_partial_model::<PlainColumns>().one(db).await?;
    Ok(row.map(ResponseRow::try_from).transpose()?)
}

/// The rows that a statement selects by their [`PLAIN_COLUMNS`].
pub(super) async fn select(db: &DatabaseConnection, statement: Statement) -> Result<Vec<ResponseRow>, SqlError> {
    let rows = PlainColumns::find_by_statement(statement).all(db).await?;
    Ok(rows.into_iter().map(ResponseRow::try_from).collect::<Result<_, Error>>()?)
}

/// The condition that a response has not ended.
pub(super) fn not_ended() -> SimpleExpr {
    let live = Status::ALL.into_iter().filter(|status| !status.is_terminal()).map(Status::as_str);
    response::Column::Status.is_in(live)
}
