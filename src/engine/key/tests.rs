//! What a key opens, what damage does, and what never shows.

use super::{KeyRing, MasterKey};

#[test]
fn a_ring_unlocks_with_its_master_key() {
    let master = MasterKey::generate();
    let (ring, keys) = KeyRing::create(&master).unwrap();
    let again = KeyRing::parse(ring.to_json().as_bytes()).unwrap().unlock(&master).unwrap();
    let (mut sealed, mut content) = (Vec::new(), Vec::new());
    let mut encoder = keys.seal("blobs").encoder();
    encoder.push(b"content", &mut sealed);
    encoder.finish(&mut sealed);
    let mut decoder = again.seal("blobs").decoder();
    decoder.push(&sealed, &mut content).unwrap();
    decoder.finish(&mut content).unwrap();
    assert_eq!(content, b"content");
}
