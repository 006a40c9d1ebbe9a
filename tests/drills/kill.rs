//! `kill -9`, again and again, while clients write.

use super::client::Client;
use super::ledger::{Figures, Ledger, Told};
use super::{Dice, setting};
use crate::victim::{Victim, binary};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: u64 = 4;
/// Every so many cycles everything is compared, not only what was touched.
const FULL_EVERY: u64 = 20;
/// A server that acknowledges nothing for so long is killed too.
const CYCLE_MAX: Duration = Duration::from_secs(5);

/// Acknowledged operations survive `kill -9` at any moment, and nothing appears that nobody wrote.
#[test]
#[ignore = "a drill of minutes: make drill-kill"]
fn drill_kill() {
    kill(setting("FAULTMAVEN_DRILL_CYCLES", 200), setting("FAULTMAVEN_DRILL_SEED", 1));
}

#[test]
fn what_was_acknowledged_to_many_clients_survives_kill_9() {
    kill(2, 1);
}

fn kill(cycles: u64, seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let mut dice = Dice(seed);
    let (mut clients, mut started) = (Vec::new(), Vec::new());
    let mut victim = Victim::start(directory.path());
    for number in 0..CLIENTS {
        let name = format!("client{number}");
        let ledger = Ledger::new(&name, seed * 1000 + number);
        clients.push((Client::register(&victim.base, &name), ledger));
    }
    for cycle in 1..=cycles {
        for (client, _) in &mut clients {
            *client = client.at(&victim.base);
        }
        let (target, pause) = (1 + dice.below(150), Duration::from_micros(dice.below(8_000)));
        let acknowledged = AtomicU64::new(0);
        thread::scope(|scope| {
            for (client, ledger) in &mut clients {
                let acknowledged = &acknowledged;
                scope.spawn(move || {
                    loop {
                        match ledger.operate(client) {
                            Told::Done => acknowledged.fetch_add(1, Ordering::SeqCst),
                            Told::Refused(_) => 0,
                            Told::Nothing => break,
                        };
                    }
                });
            }
            let begun = Instant::now();
            while acknowledged.load(Ordering::SeqCst) < target && begun.elapsed() < CYCLE_MAX {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(pause);
            victim.kill();
        });
        victim = Victim::start(directory.path());
        started.push(victim.started_in);
        let everything = cycle % FULL_EVERY == 0 || cycle == cycles;
        for (client, ledger) in &mut clients {
            *client = client.at(&victim.base);
            ledger.compare(client, everything);
        }
    }
    victim.kill();
    let check =
        Command::new(binary()).arg("check").current_dir(&directory).env_clear().output().unwrap();
    let mut figures = Figures::default();
    clients.iter().for_each(|(_, ledger)| figures.add(&ledger.figures));
    started.sort();
    println!(
        "drill_kill: {cycles} cycles of {CLIENTS} clients, {} operations sent, {} acknowledged, {} \
         without answer ({} of them had happened), refusals {:?}, {} things compared; lost {}, \
         phantoms {}; start to serving after kill -9: median {:.0} ms, max {:.0} ms",
        figures.sent,
        figures.acknowledged,
        figures.unknown,
        figures.happened,
        figures.refusals,
        figures.compared,
        figures.lost.len(),
        figures.phantoms.len(),
        started[started.len() / 2].as_secs_f64() * 1e3,
        started[started.len() - 1].as_secs_f64() * 1e3,
    );
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    assert_eq!((figures.lost, figures.phantoms), (Vec::<String>::new(), Vec::<String>::new()));
}
