//! A server whose files can't grow, as on a disk that is full.

use std::fs;

use serde_json::json;

use crate::support::Site;

#[tokio::test]
async fn what_was_asked_while_the_disk_was_full_is_kept_once_there_is_room() {
    let site = Site::new();
    let server = site.start().await;
    let client = server.client();
    let log = fs::metadata(site.data().join("antiphon.db-wal")).unwrap().len();
    server.limit_files(&log.to_string());
    let asked = {
        let client = client.clone();
        tokio::spawn(async move { client.create(&json!({ "model": "eliza", "input": "I feel calm." })).await })
    };
    // The first failure leaves a transaction that is none; it takes more to be told of commits that are none.
    server.logged_times("a commit waits for the database", 3).await;
    server.limit_files("unlimited");
    let answer = asked.await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(client.retrieve(&answer.id()).await.output_text(), answer.output_text());
    let later = client.create(&json!({ "model": "eliza", "input": "I feel calm." })).await;
    let key = server.key.clone();
    server.kill().await;
    let again = site.start().await;
    let client = again.client().with_key(&key);
    for made in [&answer, &later] {
        assert_eq!(client.retrieve(&made.id()).await.output_text(), made.output_text());
    }
}
