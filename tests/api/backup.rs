//! Backups as an administrator orders them.

use super::world::World;
use faultmaven::app::schema;
use faultmaven::backup::{Target, Unlock, quiet, restore, verify};
use faultmaven::engine::blob::Blobs;
use faultmaven::engine::db::{Db, Options};
use faultmaven::engine::disk::Directory;
use faultmaven::engine::key::Seal;
use futures_util::TryStreamExt;
use serde_json::json;
use std::sync::Arc;

#[test]
fn an_administrator_has_a_backup_made_that_restores() {
    let world = World::new();
    let root = world.admin("root");
    let ada = world.person("ada");
    let case = ada.open_case("kept");
    let upload = ada.upload(&case, "a.log", b"2026-01-01 00:00:00 ERROR disk full\n");
    assert_eq!(ada.wait(&upload["job_id"])["status"], "completed");
    assert_eq!(root.get("/admin/backups").expect(200)["total_count"], 0);

    let ordered = root.post("/admin/backup", &json!({}));
    let job = ordered.expect(202)["job_id"].clone();
    assert_eq!(ordered.header("location"), format!("/api/v1/jobs/{}", job.as_str().unwrap()));
    let done = root.wait(&job);
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!((&done["result"]["verified"], &done["result"]["blobs"]), (&json!(true), &json!(1)));

    let listed = root.get("/admin/backups").expect(200);
    let backup = &listed["backups"][0];
    assert_eq!(listed["total_count"], 1);
    assert_eq!(backup["name"], done["result"]["name"]);
    assert_eq!((&backup["encrypted"], &backup["readable"]), (&json!(false), &json!(true)));

    let home = world.directory.path();
    let file = home.join("data/backups").join(backup["name"].as_str().unwrap());
    let verified = verify(&file, Unlock::Nothing, &quiet()).unwrap();
    let target = Target {
        db: home.join("new/db"),
        blobs: home.join("new/blobs"),
        keyring: home.join("new/keyring.json"),
        models: None,
        config: Some(home.join("new/config.toml")),
        encrypt_with: None,
        blobs_purpose: "blobs",
        named_blobs: faultmaven::backup::uploaded_blobs,
        cache_bytes: 1 << 20,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let tell = quiet();
        let restored = restore(&file, Unlock::Nothing, &target, None, None, &tell).await;
        assert_eq!(restored.unwrap().summary, verified.summary);
        let disk = Arc::new(Directory::open(&target.db).unwrap());
        let (db, _) = Db::open(disk, Options::default(), schema()).unwrap();
        assert_eq!(db.check().unwrap(), []);
        let blobs = Blobs::open(&target.blobs, &Seal::checked()).unwrap();
        let blob = blobs.walk(None).try_next().await.unwrap().unwrap();
        let content = blobs.get(&blob.key, 1 << 20).await.unwrap();
        assert_eq!(content, &b"2026-01-01 00:00:00 ERROR disk full\n"[..]);
        db.closed().await;
    });
}

#[test]
fn backups_are_for_administrators_only() {
    let world = World::new();
    let ada = world.person("ada");
    ada.post("/admin/backup", &json!({})).refused(403, "role_required");
    ada.get("/admin/backups").refused(403, "role_required");
    let nobody = world.anonymous();
    nobody.post("/admin/backup", &json!({})).refused(401, "unauthenticated");
    nobody.get("/admin/backups").refused(401, "unauthenticated");
    assert!(!world.directory.path().join("data/backups").exists());
}

#[test]
fn the_same_order_sent_twice_is_one_backup() {
    let world = World::new();
    let root = world.admin("root");
    let headers = [("Idempotency-Key", "backup-order-1"), ("Content-Type", "application/json")];
    let first = root.send("POST", "/admin/backup", &headers, b"{}").expect(202);
    let again = root.send("POST", "/admin/backup", &headers, b"{}").expect(202);
    assert_eq!(first["job_id"], again["job_id"]);
    root.wait(&first["job_id"]);
    assert_eq!(root.get("/admin/backups").expect(200)["total_count"], 1);
}
