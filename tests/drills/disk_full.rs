//! A disk that somebody else fills while clients write.

use super::client::Client;
use super::ledger::{Figures, Ledger, Told};
use super::setting;
use crate::victim::{Victim, binary};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: u64 = 3;
/// Longest wait for the server to notice anything.
const PATIENCE: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;
/// Limits that fit a small disk.
const SMALL: [(&str, &str); 3] = [
    ("FAULTMAVEN_DISK__FLOOR_MIB", "12"),
    ("FAULTMAVEN_DISK__RESERVE_MIB", "6"),
    ("FAULTMAVEN_DATABASE__LOG_MIB", "24"),
];

/// A small file system of its own, taken away at the end.
struct Mount(PathBuf);

impl Mount {
    /// None without the right to mount.
    fn tmpfs(at: &Path, mib: u64) -> Option<Self> {
        let size = format!("size={mib}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Fills the disk up to so many free bytes with a file that is not ours.
    fn fill(&self, leave: u64) {
        let mut file = File::options().create(true).append(true).open(self.ballast()).unwrap();
        let free = || {
            let found = rustix::fs::statvfs(&self.0).unwrap();
            found.f_bavail * found.f_frsize
        };
        let piece = vec![7; MIB / 4];
        while free() > leave {
            let next = piece.len().min((free() - leave) as usize);
            if file.write_all(&piece[..next]).is_err() {
                break;
            }
        }
    }

    fn relieve(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// What clients were told since somebody last asked.
#[derive(Default)]
struct Tally(Mutex<BTreeMap<u16, u64>>);

impl Tally {
    fn add(&self, told: Told) {
        let status = match told {
            Told::Done => 200,
            Told::Refused(status) => status,
            Told::Nothing => 0,
        };
        *self.0.lock().unwrap().entry(status).or_default() += 1;
    }

    fn take(&self) -> BTreeMap<u16, u64> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Waits until so many answers with a status were counted; how long that took.
    fn wait(&self, status: u16, count: u64, what: &str) -> Duration {
        let begun = Instant::now();
        while self.0.lock().unwrap().get(&status).copied().unwrap_or(0) < count {
            let found = self.0.lock().unwrap().clone();
            assert!(begun.elapsed() < PATIENCE, "no {status}: {what}; told {found:?}");
            thread::sleep(Duration::from_millis(2));
        }
        begun.elapsed()
    }
}

/// Runs `during` while every client writes.
fn while_writing(clients: &mut [(Client, Ledger)], tally: &Tally, during: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for (client, ledger) in clients {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let told = ledger.operate(client);
                    tally.add(told);
                    if told != Told::Done {
                        // A refused client does not hammer.
                        thread::sleep(Duration::from_millis(5));
                    }
                }
            });
        }
        // Whatever happens in between, the clients end.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(during));
        stop.store(true, Ordering::SeqCst);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Reads and deletes go on; answers how many of each were tried.
fn reads_and_deletes(clients: &mut [(Client, Ledger)]) -> (u64, u64) {
    let (mut reads, mut deletes) = (0, 0);
    for (client, ledger) in clients {
        for _ in 0..3 {
            let (status, list) = client.send("GET", "/cases?limit=20", None).expect("an answer");
            assert_eq!(status, 200, "{list}");
            for case in list["cases"].as_array().unwrap() {
                let path = format!("/cases/{}", case["case_id"].as_str().unwrap());
                let (status, case) = client.send("GET", &path, None).expect("an answer");
                assert_eq!(status, 200, "{case}");
                reads += 1;
            }
            assert_eq!(ledger.shrink(client), Told::Done, "a delete on a full disk");
            deletes += 1;
        }
    }
    (reads, deletes)
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1e3)
}

/// On a full disk writes are refused with 507, reads and deletes go on, nothing is lost, and with
/// space again writing resumes by itself.
#[test]
#[ignore = "mounts a small file system: make drill-disk-full"]
fn drill_disk_full() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = Mount::tmpfs(directory.path(), setting("FAULTMAVEN_DRILL_DISK_MIB", 128))
    else {
        println!("drill_disk_full: skipped, mounting a tmpfs needs root");
        return;
    };
    let home = directory.path().join("home");
    fs::create_dir(&home).unwrap();
    let mut victim = Victim::start_with(&home, &SMALL);
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let name = format!("client{number}");
            let ledger = Ledger::new(&name, 77 + number);
            (Client::register(&victim.base, &name).at(&victim.base), ledger)
        })
        .collect();
    let tally = Tally::default();
    let (mut noticed, mut resumed) = (Vec::new(), Vec::new());
    let (mut reads, mut deletes) = (0, 0);
    // Slowly to just below the floor, and at once to the last byte.
    for leave in [4 * MIB as u64, 0] {
        while_writing(&mut clients, &tally, || {
            tally.take();
            tally.wait(200, 150, "writes before the disk is full");
            disk.fill(leave);
            noticed.push(tally.wait(507, 1, "the disk is full"));
            tally.wait(507, 60, "the disk stays full");
        });
        println!("drill_disk_full: {leave} bytes left, answers {:?}", tally.take());
        let went_on = reads_and_deletes(&mut clients);
        (reads, deletes) = (reads + went_on.0, deletes + went_on.1);
        if leave == 0 {
            // A crash and a start on the full disk.
            victim.kill();
            victim = Victim::start_with(&home, &SMALL);
            for (client, _) in &mut clients {
                *client = client.at(&victim.base);
            }
            let went_on = reads_and_deletes(&mut clients);
            (reads, deletes) = (reads + went_on.0, deletes + went_on.1);
        }
        while_writing(&mut clients, &tally, || {
            tally.take();
            tally.wait(507, 10, "the disk is still full");
            disk.relieve();
            tally.take();
            resumed.push(tally.wait(200, 1, "there is space again"));
            tally.wait(200, 60, "writing goes on");
        });
        for (client, ledger) in &mut clients {
            ledger.compare(client, true);
        }
    }
    disk.fill(0);
    victim.signal("TERM");
    let (code, log) = victim.end();
    assert_eq!(code, Some(0), "a stop on a full disk: {log:#?}");
    disk.relieve();
    let victim = Victim::start_with(&home, &SMALL);
    let mut figures = Figures::default();
    for (client, ledger) in &mut clients {
        *client = client.at(&victim.base);
        ledger.compare(client, true);
        figures.add(&ledger.figures);
    }
    victim.kill();
    let check = Command::new(binary()).arg("check").current_dir(&home).env_clear().output();
    let check = check.unwrap();
    println!(
        "drill_disk_full: {} operations sent, {} acknowledged, refusals {:?}, {} without a clear \
         answer; first 507 after {}; while full {reads} reads and {deletes} deletes went on; \
         writes again after {}; lost {}, phantoms {}",
        figures.sent,
        figures.acknowledged,
        figures.refusals,
        figures.unknown,
        noticed.iter().copied().map(milliseconds).collect::<Vec<_>>().join(" and "),
        resumed.iter().copied().map(milliseconds).collect::<Vec<_>>().join(" and "),
        figures.lost.len(),
        figures.phantoms.len(),
    );
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    assert_eq!((figures.lost, figures.phantoms), (Vec::<String>::new(), Vec::<String>::new()));
}
