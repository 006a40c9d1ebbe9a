//! What a key opens, what damage does, and what never shows.

use super::{
    CHUNK_BYTES, HEADER_BYTES, KeyError, KeyRing, Keys, MasterKey, RecordSeal, SECTOR_BYTES, Seal,
    SealError, SealedFile, SealedReader, SealedWriter, TAG_BYTES, Xts, content_size_bytes,
    from_hex, sealed_size_bytes, to_hex,
};
use crate::base::{Class, Classify, Time};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq};
use proptest::proptest;
use std::fs::File;
use std::io::{self, Read, Write};

const SEALED_CHUNK: usize = CHUNK_BYTES + TAG_BYTES;
/// Lengths on both sides of every border.
const SIZES: [usize; 9] = [
    0,
    1,
    100,
    CHUNK_BYTES - 1,
    CHUNK_BYTES,
    CHUNK_BYTES + 1,
    2 * CHUNK_BYTES,
    2 * CHUNK_BYTES + 17,
    3 * CHUNK_BYTES - 1,
];

fn master() -> MasterKey {
    MasterKey::parse(&"07".repeat(32)).unwrap()
}

fn keys() -> Keys {
    KeyRing::create_at(&master(), Time::from_unix_us(0)).1
}

/// Both suites.
fn seals() -> [Seal; 2] {
    [Seal::checked(), keys().seal("test")]
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| ((n * 31) >> 3) as u8).collect()
}

fn seal_whole(seal: &Seal, content: &[u8]) -> Vec<u8> {
    let (mut encoder, mut sealed) = (seal.encoder(), Vec::new());
    encoder.push(content, &mut sealed);
    encoder.finish(&mut sealed);
    sealed
}

/// Opens in pieces, and holds that nothing unverified was given.
fn open_in(seal: &Seal, sealed: &[u8], piece: usize) -> Result<Vec<u8>, SealError> {
    let (mut decoder, mut content) = (seal.decoder(), Vec::new());
    for piece in sealed.chunks(piece) {
        decoder.push(piece, &mut content)?;
    }
    decoder.finish(&mut content)?;
    Ok(content)
}

fn open_whole(seal: &Seal, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    open_in(seal, sealed, sealed.len().max(1))
}

fn file(sealed: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(sealed).unwrap();
    file
}

fn open_by_file(seal: &Seal, sealed: &[u8]) -> io::Result<Vec<u8>> {
    let file = SealedFile::open(file(sealed), seal)?;
    let mut content = vec![0; file.size_bytes() as usize];
    file.read_exact_at(&mut content, 0)?;
    Ok(content)
}

/// All three ways of reading refuse it.
fn refused(seal: &Seal, sealed: &[u8], what: &str) -> SealError {
    let error = open_whole(seal, sealed).unwrap_err();
    let mut read = Vec::new();
    let by_reader = SealedReader::new(sealed, seal).read_to_end(&mut read).unwrap_err();
    assert_eq!(SealError::inside(&by_reader), Some(error), "{what}");
    assert_eq!(by_reader.kind(), io::ErrorKind::InvalidData);
    let by_file = open_by_file(seal, sealed).unwrap_err();
    assert!(SealError::inside(&by_file).is_some(), "{what}: {by_file}");
    error
}

#[test]
fn content_of_any_length_comes_back_in_pieces_of_any_length() {
    for seal in seals() {
        for size in SIZES {
            let content = content(size);
            let sealed = seal_whole(&seal, &content);
            assert_eq!(sealed.len() as u64, sealed_size_bytes(size as u64));
            assert_eq!(content_size_bytes(sealed.len() as u64), Some(size as u64));
            for piece in [7, 4096, SEALED_CHUNK, SEALED_CHUNK + 1, 1 << 20] {
                assert_eq!(open_in(&seal, &sealed, piece), Ok(content.clone()), "{size} {piece}");
                let mut writer = SealedWriter::new(Vec::new(), &seal);
                for piece in content.chunks(piece) {
                    writer.write_all(piece).unwrap();
                }
                let mut read = Vec::new();
                let sealed = writer.finish().unwrap();
                SealedReader::new(&sealed[..], &seal).read_to_end(&mut read).unwrap();
                assert_eq!(read, content);
            }
            assert_eq!(open_by_file(&seal, &sealed).unwrap(), content);
        }
    }
}

#[test]
fn only_lengths_that_a_container_can_have_have_a_content_length() {
    for sealed in 0..3 * SEALED_CHUNK as u64 {
        if let Some(content) = content_size_bytes(sealed) {
            assert_eq!(sealed_size_bytes(content), sealed);
        }
    }
    for none in [0, HEADER_BYTES, HEADER_BYTES + TAG_BYTES - 1, HEADER_BYTES + SEALED_CHUNK + 16] {
        assert_eq!(content_size_bytes(none as u64), None, "{none}");
    }
}

#[test]
fn every_flipped_bit_of_a_small_container_is_an_error() {
    for seal in seals() {
        for size in [0, 40] {
            let sealed = seal_whole(&seal, &content(size));
            for bit in 0..sealed.len() * 8 {
                let mut flipped = sealed.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                refused(&seal, &flipped, &format!("bit {bit}"));
            }
        }
    }
}

#[test]
fn every_cut_and_every_addition_is_an_error() {
    for seal in seals() {
        let sealed = seal_whole(&seal, &content(40));
        for cut in 0..sealed.len() {
            refused(&seal, &sealed[..cut], &format!("cut {cut}"));
        }
        for more in [1, TAG_BYTES, TAG_BYTES + 1, SEALED_CHUNK] {
            refused(&seal, &[&sealed[..], &vec![0; more]].concat(), "zeros appended");
        }
        refused(&seal, &[&sealed[..], &sealed[..]].concat(), "appended to itself");
        refused(&seal, &[&sealed[..], &sealed[HEADER_BYTES..]].concat(), "its chunk twice");
    }
}

#[test]
fn chunks_moved_dropped_repeated_or_taken_from_another_file_are_an_error() {
    for seal in seals() {
        let sealed = seal_whole(&seal, &vec![5; 4 * CHUNK_BYTES]);
        let other = seal_whole(&seal, &vec![5; 4 * CHUNK_BYTES]);
        let built = |order: &[usize]| -> Vec<u8> {
            let chunks: Vec<_> = sealed[HEADER_BYTES..].chunks(SEALED_CHUNK).collect();
            let body: Vec<_> = order.iter().map(|at| chunks[*at]).collect();
            [&sealed[..HEADER_BYTES], &body.concat()].concat()
        };
        assert_eq!(open_whole(&seal, &built(&[0, 1, 2, 3])).unwrap().len(), 4 * CHUNK_BYTES);
        for (order, error) in [
            (&[1, 0, 2, 3][..], SealError::Damaged { chunk: 0 }),
            (&[0, 2, 1, 3], SealError::Damaged { chunk: 1 }),
            (&[0, 1, 3], SealError::Damaged { chunk: 2 }),
            (&[1, 2, 3], SealError::Damaged { chunk: 0 }),
            (&[0, 1, 2, 2, 3], SealError::Damaged { chunk: 3 }),
            (&[0, 1, 2, 3, 3], SealError::Damaged { chunk: 3 }),
            (&[0, 1, 2], SealError::Truncated),
            (&[0], SealError::Truncated),
            (&[3], SealError::Damaged { chunk: 0 }),
        ] {
            assert_eq!(refused(&seal, &built(order), &format!("{order:?}")), error, "{order:?}");
        }
        let mut mixed = sealed.clone();
        let second = HEADER_BYTES + SEALED_CHUNK..HEADER_BYTES + 2 * SEALED_CHUNK;
        mixed[second.clone()].copy_from_slice(&other[second]);
        assert_eq!(refused(&seal, &mixed, "mixed"), SealError::Damaged { chunk: 1 });
        let header = [&other[..HEADER_BYTES], &sealed[HEADER_BYTES..]].concat();
        assert_eq!(refused(&seal, &header, "header"), SealError::Damaged { chunk: 0 });
    }
}

#[test]
fn what_is_damaged_is_named_and_nothing_unverified_is_given() {
    for seal in seals() {
        let content = content(3 * CHUNK_BYTES);
        let mut sealed = seal_whole(&seal, &content);
        sealed[HEADER_BYTES + SEALED_CHUNK + 9] ^= 1;
        let (mut decoder, mut out) = (seal.decoder(), Vec::new());
        let error = SealError::Damaged { chunk: 1 };
        assert_eq!(decoder.push(&sealed, &mut out), Err(error));
        assert_eq!(out, content[..CHUNK_BYTES]);
        assert_eq!(decoder.push(b"more", &mut out), Err(error), "it stays refused");
        assert_eq!(decoder.finish(&mut out), Err(error));
        assert_eq!(out.len(), CHUNK_BYTES);
        assert_eq!(error.to_string(), "chunk 1 is damaged");
        assert_eq!(error.class().0, Class::Broken);
        // The other chunks of the file can still be read.
        let file = SealedFile::open(file(&sealed), &seal).unwrap();
        let mut piece = [0; 100];
        file.read_exact_at(&mut piece, 2 * CHUNK_BYTES as u64 + 5).unwrap();
        assert_eq!(piece, content[2 * CHUNK_BYTES + 5..][..100]);
        assert!(file.read_exact_at(&mut piece, CHUNK_BYTES as u64 - 50).is_err());
        let end = file.read_exact_at(&mut piece, content.len() as u64 - 99).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
        assert!(file.read_exact_at(&mut [], u64::MAX).is_err());
        assert!(file.chunk(3).is_err());
    }
}

#[test]
fn what_was_never_sealed_and_what_was_sealed_otherwise_are_told_apart() {
    let [checked, keyed] = seals();
    let plain = [b'x'; 100];
    for seal in [&checked, &keyed] {
        assert_eq!(open_whole(seal, &plain), Err(SealError::NotSealed));
        assert_eq!(open_whole(seal, b""), Err(SealError::Truncated));
        assert_eq!(open_whole(seal, &plain[..9]), Err(SealError::Truncated));
    }
    let (by_sum, by_key) = (seal_whole(&checked, &plain), seal_whole(&keyed, &plain));
    assert_eq!(open_whole(&keyed, &by_sum), Err(SealError::WrongSuite));
    assert_eq!(open_whole(&checked, &by_key), Err(SealError::WrongSuite));
    assert_eq!(open_whole(&keys().seal("test"), &by_key), Err(SealError::Damaged { chunk: 0 }));
    assert!(checked.decoder().finish(&mut Vec::new()).is_err());
}

#[test]
fn each_purpose_has_keys_of_its_own() {
    let keys = keys();
    let sealed = seal_whole(&keys.seal("blobs"), b"x");
    assert!(open_whole(&keys.seal("text"), &sealed).is_err());
    let (mut one, mut other) = ([0; 16], [0; 16]);
    keys.xts("db").encrypt(0, &mut one);
    keys.xts("vectors").encrypt(0, &mut other);
    assert_ne!(one, other);
    assert_ne!(seal_whole(&keys.seal("blobs"), b"x"), sealed, "each file has a salt of its own");
}

#[test]
fn content_is_not_in_a_keyed_container() {
    let [_, seal] = seals();
    let marker = b"planted-marker-string";
    let sealed = seal_whole(&seal, &marker.repeat(5000));
    assert!(!sealed.windows(8).any(|window| window == &marker[..8]));
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 64, ..ProptestConfig::default()
    })]

    #[test]
    fn any_flip_in_a_large_container_is_an_error(
        size in 0..3 * CHUNK_BYTES, at in any::<prop::sample::Index>(), bit in 0..8u8, keyed: bool,
    ) {
        let seal = &seals()[usize::from(keyed)];
        let mut sealed = seal_whole(seal, &content(size));
        let at = at.index(sealed.len());
        sealed[at] ^= 1u8 << bit;
        prop_assert!(open_whole(seal, &sealed).is_err());
        prop_assert!(open_by_file(seal, &sealed).is_err());
    }

    #[test]
    fn any_cut_of_a_large_container_is_an_error(
        size in 0..3 * CHUNK_BYTES, at in any::<prop::sample::Index>(), keyed: bool,
    ) {
        let seal = &seals()[usize::from(keyed)];
        let sealed = seal_whole(seal, &content(size));
        let sealed = &sealed[..at.index(sealed.len())];
        prop_assert!(open_whole(seal, sealed).is_err());
        prop_assert!(SealedFile::open(file(sealed), seal).is_err());
    }

    #[test]
    fn a_range_of_a_file_is_that_range_of_the_content(
        size in 0..4 * CHUNK_BYTES, ranges in prop::collection::vec(any::<[u32; 2]>(), 8),
        keyed: bool,
    ) {
        let seal = &seals()[usize::from(keyed)];
        let content = content(size);
        let file = SealedFile::open(file(&seal_whole(seal, &content)), seal).unwrap();
        prop_assert_eq!(file.size_bytes(), size as u64);
        for [from, to] in ranges {
            let ends = [from as usize % (size + 1), to as usize % (size + 1)];
            let range = ends[0].min(ends[1])..ends[0].max(ends[1]);
            let mut read = vec![0; range.len()];
            file.read_exact_at(&mut read, range.start as u64).unwrap();
            prop_assert_eq!(&read, &content[range]);
        }
    }

    #[test]
    fn sectors_may_be_encrypted_in_any_ranges(
        cuts in prop::collection::vec(0usize..1500, 0..6), start in 0u64..1000,
    ) {
        let xts = keys().xts("db");
        let offset = start * 16;
        let plain = content(1500 * 16);
        let mut whole = plain.clone();
        xts.encrypt(offset, &mut whole);
        let mut parts = plain.clone();
        let mut cuts = [vec![0, 1500], cuts].concat();
        cuts.sort_unstable();
        for pair in cuts.windows(2) {
            let range = pair[0] * 16..pair[1] * 16;
            xts.encrypt(offset + range.start as u64, &mut parts[range]);
        }
        prop_assert_eq!(&whole, &parts);
        for pair in cuts.windows(2) {
            let range = pair[0] * 16..pair[1] * 16;
            xts.decrypt(offset + range.start as u64, &mut whole[range]);
        }
        prop_assert_eq!(&whole, &plain);
    }
}

/// Vectors 10 to 14 of IEEE 1619: a sector here is longer than their 512 bytes, and a sector's
/// beginning does not depend on its length.
#[test]
fn xts_is_that_of_the_standard() {
    let key = "2718281828459045235360287471352662497757247093699959574966967627\
               3141592653589793238462643383279502884197169399375105820974944592";
    let xts = Xts::new(&from_hex(key).unwrap());
    let plain: Vec<u8> = (0..512).map(|n| n as u8).collect();
    for (sector, begins) in [
        (0xff, "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b"),
        (0xffff, "77a31251618a15e6b92d1d66dffe7b50b50bad552305ba0217a610688eff7e11"),
        (0xff_ffff, "e387aaa58ba483afa7e8eb469778317ecf4cf573aa9d4eac23f2cdf914e4e200"),
        (0xffff_ffff, "bf53d2dade78e822a4d949a9bc6766b01b06a8ef70d26748c6a7fc36d80ae4c5"),
        (0xff_ffff_ffff, "64497e5a831e4a932c09be3e5393376daa599548b816031d224bbf50a818ed23"),
    ] {
        let mut data = plain.clone();
        xts.encrypt(sector * SECTOR_BYTES as u64, &mut data);
        assert_eq!(to_hex(&data[..32]), begins, "sector {sector:x}");
        if sector == 0xff {
            assert_eq!(to_hex(&data), VECTOR_10.concat());
        }
        xts.decrypt(sector * SECTOR_BYTES as u64, &mut data);
        assert_eq!(data, plain);
    }
}

const VECTOR_10: [&str; 16] = [
    "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b",
    "5d31e276f8fe4a8d66b317f9ac683f44680a86ac35adfc3345befecb4bb188fd",
    "5776926c49a3095eb108fd1098baec70aaa66999a72a82f27d848b21d4a741b0",
    "c5cd4d5fff9dac89aeba122961d03a757123e9870f8acf1000020887891429ca",
    "2a3e7a7d7df7b10355165c8b9a6d0a7de8b062c4500dc4cd120c0f7418dae3d0",
    "b5781c34803fa75421c790dfe1de1834f280d7667b327f6c8cd7557e12ac3a0f",
    "93ec05c52e0493ef31a12d3d9260f79a289d6a379bc70c50841473d1a8cc81ec",
    "583e9645e07b8d9670655ba5bbcfecc6dc3966380ad8fecb17b6ba02469a020a",
    "84e18e8f84252070c13e9f1f289be54fbc481457778f616015e1327a02b140f1",
    "505eb309326d68378f8374595c849d84f4c333ec4423885143cb47bd71c5edae",
    "9be69a2ffeceb1bec9de244fbe15992b11b77c040f12bd8f6a975a44a0f90c29",
    "a9abc3d4d893927284c58754cce294529f8614dcd2aba991925fedc4ae74ffac",
    "6e333b93eb4aff0479da9a410e4450e0dd7ae4c6e2910900575da401fc07059f",
    "645e8b7e9bfdef33943054ff84011493c27b3429eaedb4ed5376441a77ed4385",
    "1ad77f16f541dfd269d50d6a5f14fb0aab1cbb4c1550be97f7ab4066193c4caa",
    "773dad38014bd2092fa755c824bb5e54c4f36ffda9fcea70b9c6e693e148c151",
];

#[test]
fn sectors_of_equal_content_differ() {
    let mut data = vec![0; 2 * SECTOR_BYTES];
    keys().xts("db").encrypt(0, &mut data);
    assert_ne!(data[..SECTOR_BYTES], data[SECTOR_BYTES..]);
}

#[test]
#[should_panic(expected = "offset 8 is inside a block")]
fn a_range_inside_a_block_is_a_mistake() {
    keys().xts("db").encrypt(8, &mut [0; 16]);
}

fn records() -> [RecordSeal; 2] {
    seals().map(|seal| seal.records([3; 16]))
}

#[test]
fn a_record_is_bound_to_its_number_and_to_what_stands_beside_it() {
    for records in records() {
        for size in [0, 1, 5000] {
            let content = content(size);
            let mut sealed = content.clone();
            records.seal(7, b"beside", &mut sealed);
            assert_eq!(sealed.len(), size + RecordSeal::TAG_BYTES);
            let open = |sequence, beside: &[u8], body: &[u8]| {
                records.open(sequence, beside, &mut body.to_vec()).map(<[u8]>::to_vec)
            };
            assert_eq!(open(7, b"beside", &sealed), Ok(content));
            let damaged = Err(SealError::Damaged { chunk: 0 });
            assert_eq!(open(8, b"beside", &sealed), damaged);
            assert_eq!(open(7, b"besides", &sealed), damaged);
            assert_eq!(open(7, b"", &sealed), damaged);
            assert!(open(7, b"beside", &sealed[..sealed.len() - 1]).is_err());
            assert_eq!(open(7, b"beside", &[0; 15]), Err(SealError::Truncated));
            for at in [0, sealed.len() / 2, sealed.len() - 1] {
                let mut flipped = sealed.clone();
                flipped[at] ^= 0x10;
                assert_eq!(open(7, b"beside", &flipped), damaged);
            }
        }
    }
    let [_, seal] = seals();
    let mut sealed = b"planted marker".to_vec();
    seal.records([1; 16]).seal(0, b"", &mut sealed);
    assert!(!sealed.windows(6).any(|window| window == b"marker"));
    assert!(seal.records([2; 16]).open(0, b"", &mut sealed).is_err(), "another salt");
}

#[test]
fn a_ring_unlocks_with_its_master_key_and_no_other() {
    let (ring, keys) = KeyRing::create(&master()).unwrap();
    let sealed = seal_whole(&keys.seal("test"), b"content");
    let read = KeyRing::parse(ring.to_json().as_bytes()).unwrap();
    assert_eq!(read, ring);
    let again = read.unlock(&master()).unwrap();
    assert_eq!(open_whole(&again.seal("test"), &sealed).unwrap(), b"content");
    let error = ring.unlock(&MasterKey::generate()).unwrap_err();
    assert_eq!(error, KeyError::WrongKey);
    assert_eq!(error.to_string(), "the master key is not the one this store was encrypted with");
}

#[test]
fn rewrapping_keeps_the_data_keys_and_shuts_the_old_master_key_out() {
    let (ring, keys) = KeyRing::create(&master()).unwrap();
    let sealed = seal_whole(&keys.seal("test"), b"content");
    let new = MasterKey::generate();
    assert_eq!(ring.rewrap(&new, &master()), Err(KeyError::WrongKey));
    let rewrapped = ring.rewrap(&master(), &new).unwrap();
    assert_eq!(rewrapped.unlock(&master()).unwrap_err(), KeyError::WrongKey);
    let opened = rewrapped.unlock(&new).unwrap();
    assert_eq!(open_whole(&opened.seal("test"), &sealed).unwrap(), b"content");
    assert_eq!(rewrapped.newest(), ring.newest());
}

#[test]
fn a_new_data_key_seals_and_the_old_one_still_opens() {
    let (ring, keys) = KeyRing::create(&master()).unwrap();
    let old = seal_whole(&keys.seal("test"), b"old");
    let later = Time::from_unix_us(5);
    let (longer, more) = ring.add_key(&master(), later).unwrap();
    assert_eq!((longer.key_count(), longer.newest()), (2, Some(later)));
    let unlocked = longer.unlock(&master()).unwrap();
    let new = seal_whole(&more.seal("test"), b"new");
    for keys in [&more, &unlocked] {
        assert_eq!(open_whole(&keys.seal("test"), &old).unwrap(), b"old");
        assert_eq!(open_whole(&keys.seal("test"), &new).unwrap(), b"new");
    }
    assert_eq!(open_whole(&keys.seal("test"), &new), Err(SealError::UnknownKey { id: 2 }));
    // Sectors and records name no key and keep the first.
    let (mut one, mut other) = (vec![1; 32], vec![1; 32]);
    keys.xts("db").encrypt(0, &mut one);
    more.xts("db").encrypt(0, &mut other);
    assert_eq!(one, other);
    keys.seal("log").records([0; 16]).seal(1, b"", &mut one);
    assert!(more.seal("log").records([0; 16]).open(1, b"", &mut one).is_ok());
}

#[test]
fn a_damaged_ring_is_never_taken_for_a_wrong_key() {
    let (ring, keys) = KeyRing::create(&master()).unwrap();
    let sealed = seal_whole(&keys.seal("test"), b"content");
    let json = ring.to_json().into_bytes();
    let mut sound = 0;
    for bit in 0..json.len() * 8 {
        let mut flipped = json.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match KeyRing::parse(&flipped) {
            Err(KeyError::Damaged | KeyError::Version(_)) => {}
            Err(other) => panic!("bit {bit}: {other}"),
            // White space.
            Ok(ring) => {
                let keys = ring.unlock(&master()).unwrap();
                assert!(open_whole(&keys.seal("test"), &sealed).is_ok(), "bit {bit}");
                sound += 1;
            }
        }
    }
    assert!(sound < json.len(), "{sound}");
    for cut in 0..json.len() - 1 {
        assert_eq!(KeyRing::parse(&json[..cut]), Err(KeyError::Damaged), "cut {cut}");
    }
    let later = String::from_utf8(json).unwrap().replace("\"version\": 1", "\"version\": 9");
    assert_eq!(KeyRing::parse(later.as_bytes()), Err(KeyError::Version(9)));
}

#[test]
fn a_master_key_is_read_as_hex_and_as_base64() {
    let key = MasterKey::generate();
    let hex = key.to_text();
    assert_eq!(hex.len(), 64);
    for text in [hex.clone(), hex.to_uppercase(), format!("  {hex}\n")] {
        assert_eq!(MasterKey::parse(&text).unwrap().to_text(), hex);
    }
    let fb = "fb".repeat(32);
    for text in [
        "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=",
        "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s\r\n",
        "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s=",
    ] {
        assert_eq!(MasterKey::parse(text).unwrap().to_text(), fb, "{text}");
    }
    let (short, long) = ("ab".repeat(31), "ab".repeat(33));
    for bad in ["", "secret", &short, &long, &"zz".repeat(32), &format!("{short} ab"), "AAAA"] {
        assert_eq!(MasterKey::parse(bad).unwrap_err(), KeyError::Malformed, "{bad}");
    }
}

#[test]
fn no_key_shows() {
    let master = master();
    let (ring, keys) = KeyRing::create(&master).unwrap();
    let seal = keys.seal("test");
    let shown = format!(
        "{master:?} {keys:?} {seal:?} {:?} {:?} {:?} {:?}",
        keys.xts("db"),
        seal.encoder(),
        seal.decoder(),
        seal.records([0; 16]),
    );
    assert_eq!(
        shown,
        "MasterKey(..) Keys { ids: [1] } Seal(keyed) Xts(..) Encoder { chunk: 0, .. } \
         Decoder { chunk: 0, .. } RecordSeal(..)"
    );
    assert!(!format!("{ring:?}").contains(&master.to_text()));
    assert!(!ring.to_json().contains("0707"));
}

/// Written by the first version; must open for ever.
#[test]
fn what_the_first_version_wrote_still_opens() {
    let ring = KeyRing::parse(RING_1.as_bytes()).unwrap();
    assert_eq!(ring.to_json(), RING_1);
    let keys = ring.unlock(&master()).unwrap();
    for (seal, sealed) in [(keys.seal("blobs"), KEYED_1), (Seal::checked(), CHECKED_1)] {
        let bytes: Vec<u8> = sealed
            .as_bytes()
            .chunks(2)
            .map(|pair| from_hex::<1>(std::str::from_utf8(pair).unwrap()).unwrap()[0])
            .collect();
        assert_eq!(open_whole(&seal, &bytes).unwrap(), b"written once");
        let mut again = Vec::new();
        let salt = bytes[8..24].try_into().unwrap();
        let mut encoder = seal.encoder_with(salt);
        encoder.push(b"written once", &mut again);
        encoder.finish(&mut again);
        assert_eq!(to_hex(&again), sealed);
    }
    let mut record = b"record".to_vec();
    keys.seal("log").records([9; 16]).seal(42, b"beside", &mut record);
    assert_eq!(to_hex(&record), RECORD_1);
    let mut sector = [0; 32];
    keys.xts("db").encrypt(4080, &mut sector);
    assert_eq!(to_hex(&sector), SECTOR_1);
}

const RING_1: &str = r#"{
  "version": 1,
  "salt": "a754b0149c34db6932ea2fc9f1fe7e16",
  "keys": [
    {
      "id": 1,
      "created": "2026-01-02T03:04:05Z",
      "wrapped": "516d9c73142d330efabb6ed7bd1a138e5c85bcfee9a2d5e089aec3ca1aa8fafc02214bbd2b76c5f9e384ff845866070b7d3da7b59e17afcdb8cb7856"
    }
  ],
  "crc32": "d91f95da"
}
"#;
const KEYED_1: &str = "464d534c01010100ecd614c8e54700ddca371fa0d8695b97578fca2a3eabe4f322ebd6f4101709ece9d3fb149a69f37b2fd5c4f73d3964c5";
const CHECKED_1: &str = "464d534c010000001dd235323240ee535238ff5580dcd3ea638583cf7772697474656e206f6e6365f5059823000000000000000000000000";
const RECORD_1: &str = "e177c51a19aca778a059e6306e90fd91e9ec30d424fb";
const SECTOR_1: &str = "2b5b83407938eded95d374d58b87f6e5fc9d68ba8c384e0f259e059deb2dcc70";
