//! The page at `/`: files that the binary holds, for browsers that then use the API with their user's key.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{self, ServiceConfig},
};
use ring::digest;

use super::endpoints::only;

/// Nothing is run, shown or asked for that does not come from this server, and nothing is put into the page
/// as markup but by the one policy that sanitizes it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types dompurify";

/// A file of the page.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    etag: header::EntityTag,
}

impl Asset {
    fn new(path: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, bytes);
        let tag = digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { path, content_type, bytes, etag: header::EntityTag::new_strong(tag) }
    }

    /// The file, or that the client has it already.
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let known = self.is_known(request);
        let mut answer = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        answer
            .insert_header(header::ETag(self.etag.clone()))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .insert_header(("cross-origin-opener-policy", "same-origin"))
            .insert_header(("cross-origin-resource-policy", "same-origin"));
        if known {
            return answer.finish();
        }
        answer.insert_header((header::CONTENT_TYPE, self.content_type)).body(self.bytes)
    }

    /// Whether a tag that the client names is this file's. A list that can't be read names none.
    fn is_known(&self, request: &HttpRequest) -> bool {
        let lists = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|list| list.to_str().ok());
        let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || tag.parse().is_ok_and(|tag: header::EntityTag| tag.weak_eq(&self.etag)))
    }
}

static ASSETS: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    [
        Asset::new("/", "text/html; charset=utf-8", include_bytes!("../../web/dist/index.html")),
        Asset::new("/app.js", "text/javascript; charset=utf-8", include_bytes!("../../web/dist/app.js")),
        Asset::new("/app.css", "text/css; charset=utf-8", include_bytes!("../../web/dist/app.css")),
        Asset::new("/icon.svg", "image/svg+xml", include_bytes!("../../web/dist/icon.svg")),
        // The licences of what is bundled ask to go with it.
        Asset::new("/licenses.md", "text/plain; charset=utf-8", include_bytes!("../../web/dist/licenses.md")),
    ]
});

/// The page at `/` and its four files, for an app that has the API under `/v1` beside it. No other path is taken.
pub fn page(config: &mut ServiceConfig) {
    for asset in &*ASSETS {
        let answer = move |request: HttpRequest| {
            let answer = asset.answer(&request);
            async move { answer }
        };
        let resource = web::resource(asset.path).route(web::get().to(answer)).route(web::head().to(answer));
        config.service(only(resource, "GET, HEAD"));
    }
}
