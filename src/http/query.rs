//! Query strings, in the forms in which the clients' libraries write them.

use actix_web::{HttpRequest, web};

use super::ApiError;

/// The pairs of a query string, in order.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        pairs
            .map(|pairs| Self(pairs.into_inner()))
            .map_err(|_| ApiError::bad_request("The query string can't be read."))
    }

    /// The last value of a key; an empty one counts as none.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of a list: `key=a`, `key[]=a`, `key[0]=a`, any number of times, or `key=a,b`.
    pub(super) fn list(&self, key: &str) -> Vec<String> {
        let is_key = |name: &str| match name.strip_prefix(key) {
            Some("") => true,
            Some(rest) => rest.starts_with('[') && rest.ends_with(']'),
            None => false,
        };
        let values = self.0.iter().filter(|(name, _)| is_key(name)).flat_map(|(_, value)| value.split(','));
        values.filter(|value| !value.is_empty()).map(ToOwned::to_owned).collect()
    }

    /// A flag; none is false.
    pub(super) fn flag(&self, key: &str) -> Result<bool, ApiError> {
        match self.get(key) {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case("true") || value == "1" => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") || value == "0" => Ok(false),
            Some(_) => Err(ApiError::parameter(key, format!("Invalid value for '{key}': expected true or false."))),
        }
    }

    /// A whole number that is not negative.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, ApiError> {
        let message = || format!("Invalid value for '{key}': expected a whole number that is not negative.");
        self.get(key).map(|value| value.parse().map_err(|_| ApiError::parameter(key, message()))).transpose()
    }
}
