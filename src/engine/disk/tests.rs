//! Both directories behave alike.

use super::{Directory, Disk, Memory};
use std::io::ErrorKind;

fn check(disk: &dyn Disk) {
    assert_eq!(disk.open("a").unwrap_err().kind(), ErrorKind::NotFound);
    let file = disk.create("a").unwrap();
    file.write_all_at(b"world", 6).unwrap();
    file.write_all_at(b"hello", 0).unwrap();
    file.sync().unwrap();
    let mut bytes = [1; 11];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"hello\0world");
    let past = file.read_exact_at(&mut bytes, 1).unwrap_err();
    assert_eq!(past.kind(), ErrorKind::UnexpectedEof);
    file.set_size(5000).unwrap();
    assert_eq!(file.size_bytes().unwrap(), 5000);
    let mut grown = [1; 4];
    file.read_exact_at(&mut grown, 4996).unwrap();
    assert_eq!(grown, [0; 4]);
    file.set_size(5).unwrap();
    disk.create("b").unwrap();
    disk.rename("a", "b").unwrap();
    disk.sync_names().unwrap();
    assert_eq!(disk.names().unwrap(), ["b"]);
    let mut bytes = [0; 5];
    disk.open("b").unwrap().read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"hello");
    disk.remove("b").unwrap();
    assert_eq!(disk.remove("b").unwrap_err().kind(), ErrorKind::NotFound);
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert!(disk.free_bytes().unwrap() > 0);
}

#[test]
fn files_in_memory_are_files() {
    check(&Memory::new());
}

#[test]
fn files_on_disk_are_files() {
    let directory = tempfile::tempdir().unwrap();
    check(&Directory::open(&directory.path().join("db")).unwrap());
}

#[test]
fn a_name_does_not_leave_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Directory::open(directory.path()).unwrap();
    for bad in ["", "..", "../x", "a/b", ".hidden"] {
        assert_eq!(disk.create(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad}");
    }
}
