//! Between rows and what the port speaks of. A value that this program can't have written is an error.

use antiphon_entities::{item, response, segment, usage_record};
use bytes::Bytes;
use sea_orm::{ActiveValue::Set, DerivePartialModel};
use uuid::Uuid;

use crate::domain::{Cause, Timestamp};
use crate::protocol::{ItemId, ResponseId, Status, UserId};
use crate::store::{AdmissionRecord, Error, ResponseRow, Segment, Side, StoredItem, UsageRecord};

/// A row of `responses` without the text of the answer.
#[derive(Debug, DerivePartialModel)]
#[sea_orm(entity = "response::Entity")]
pub(super) struct PlainColumns {
    pub(super) uuid: String,
    pub(super) user_id: String,
    pub(super) node: String,
    pub(super) epoch: i64,
    pub(super) status: String,
    pub(super) cause: Option<String>,
    pub(super) finish_reason: Option<String>,
    pub(super) model: String,
    pub(super) stored: bool,
    pub(super) background: bool,
    pub(super) previous: Option<String>,
    pub(super) fold_version: i16,
    pub(super) prompt_tokens: i64,
    pub(super) created_at: i64,
    pub(super) ended_at: Option<i64>,
}

impl TryFrom<PlainColumns> for ResponseRow {
    type Error = Error;

    fn try_from(row: PlainColumns) -> Result<Self, Error> {
        let cause = row.cause.map(|cause| Cause::parse(&cause).ok_or(Error::Corrupt { what: "responses.cause" }));
        let previous = row.previous.map(|previous| uuid(&previous, "responses.previous"));
        Ok(Self {
            id: ResponseId::from_uuid(uuid(&row.uuid, "responses.uuid")?),
            user: UserId::from_uuid(uuid(&row.user_id, "responses.user_id")?),
            node: row.node,
            epoch: row.epoch,
            status: Status::parse(&row.status).ok_or(Error::Corrupt { what: "responses.status" })?,
            cause: cause.transpose()?,
            finish_reason: row.finish_reason,
            model: row.model,
            stored: row.stored,
            background: row.background,
            previous: previous.transpose()?.map(ResponseId::from_uuid),
            fold_version: row.fold_version,
            prompt_tokens: at_least_zero(row.prompt_tokens, "responses.prompt_tokens")?,
            created_at: Timestamp::from_micros(row.created_at),
            ended_at: row.ended_at.map(Timestamp::from_micros),
        })
    }
}

pub(super) fn new_response(admission: &AdmissionRecord) -> response::ActiveModel {
    let row = &admission.row;
    response::ActiveModel {
        uuid: Set(key(row.id)),
        user_id: Set(user_key(row.user)),
        node: Set(row.node.clone()),
        epoch: Set(row.epoch),
        status: Set(row.status.as_str().to_owned()),
        cause: Set(row.cause.map(|cause| cause.as_str().to_owned())),
        finish_reason: Set(row.finish_reason.clone()),
        model: Set(row.model.clone()),
        stored: Set(row.stored),
        background: Set(row.background),
        previous: Set(row.previous.map(key)),
        fold_version: Set(row.fold_version),
        prompt_tokens: Set(row.prompt_tokens),
        created_at: Set(row.created_at.as_micros()),
        ended_at: Set(row.ended_at.map(Timestamp::as_micros)),
        content_enc: Set(None),
    }
}

pub(super) fn segment(row: segment::Model) -> Result<Segment, Error> {
    Ok(Segment {
        response: ResponseId::from_uuid(uuid(&row.response, "segments.response")?),
        first: u64::try_from(row.first_fact).map_err(|_| Error::Corrupt { what: "segments.first_fact" })?,
        count: u32::try_from(row.fact_count).map_err(|_| Error::Corrupt { what: "segments.fact_count" })?,
        bytes: Bytes::from(row.bytes),
    })
}

pub(super) fn new_segment(segment: &Segment) -> segment::ActiveModel {
    segment::ActiveModel {
        response: Set(key(segment.response)),
        first_fact: Set(bigint(segment.first)),
        fact_count: Set(i64::from(segment.count)),
        bytes: Set(segment.bytes.to_vec()),
    }
}

pub(super) fn item(row: item::Model) -> Result<StoredItem, Error> {
    let side = [Side::Input, Side::Output].into_iter().find(|side| side.as_str() == row.side);
    Ok(StoredItem {
        response: ResponseId::from_uuid(uuid(&row.response, "items.response")?),
        side: side.ok_or(Error::Corrupt { what: "items.side" })?,
        position: u32::try_from(row.position).map_err(|_| Error::Corrupt { what: "items.position" })?,
        id: ItemId::from(row.id),
        content: Bytes::from(row.content),
    })
}

pub(super) fn new_item(item: &StoredItem) -> item::ActiveModel {
    item::ActiveModel {
        response: Set(key(item.response)),
        side: Set(item.side.as_str().to_owned()),
        position: Set(i64::from(item.position)),
        id: Set(item.id.as_str().to_owned()),
        content: Set(item.content.to_vec()),
    }
}

pub(super) fn new_usage(record: &UsageRecord) -> usage_record::ActiveModel {
    let usage = &record.usage;
    usage_record::ActiveModel {
        response: Set(key(record.response)),
        turn: Set(i32::from(record.turn)),
        user_id: Set(user_key(record.user)),
        provider: Set(record.provider.clone()),
        model: Set(record.model.clone()),
        input_tokens: Set(bigint(usage.input_tokens)),
        cached_tokens: Set(bigint(usage.input_tokens_details.cached_tokens)),
        cache_write_tokens: Set(bigint(usage.input_tokens_details.cache_write_tokens)),
        output_tokens: Set(bigint(usage.output_tokens)),
        reasoning_tokens: Set(bigint(usage.output_tokens_details.reasoning_tokens)),
        total_tokens: Set(bigint(usage.total_tokens)),
        estimated: Set(record.estimated),
        ended_at: Set(record.at.as_micros()),
    }
}

/// A response's id as the tables have it.
pub(super) fn key(id: ResponseId) -> String {
    id.uuid().hyphenated().to_string()
}

/// A user's id as the tables have it.
pub(super) fn user_key(id: UserId) -> String {
    id.uuid().hyphenated().to_string()
}

pub(super) fn uuid(text: &str, what: &'static str) -> Result<Uuid, Error> {
    Uuid::try_parse(text).ok().filter(|uuid| uuid.hyphenated().to_string() == text).ok_or(Error::Corrupt { what })
}

/// A count as the databases can hold it. What is larger can only be a provider's nonsense: it must not make
/// the whole group fail, so it becomes the largest number there is.
pub(super) fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn at_least_zero(count: i64, what: &'static str) -> Result<i64, Error> {
    if count < 0 { Err(Error::Corrupt { what }) } else { Ok(count) }
}
