//! The cost of hot swapping: calls during trials of other modules, calls while another module
//! misbehaves, and the latency of a swap.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use stowage_tests::admin::Admin;
use stowage_tests::changing::{Behaviour, Work, changing, plain};
use stowage_tests::modules::{module, variant};

use super::load::{self, Client, Request};
use super::process::Server;
use super::report::{Rounds, median};
use super::{EVERY_CALL_RUNS, FOLDERS, ROUND, ROUNDS};

/// The connections that call the other module.
const CONNECTIONS: usize = 32;
/// The connections that call the module that misbehaves.
const VICTIMS: usize = 4;
const SWAPS: usize = 100;
/// What a module may do wrong, and a version that does it.
const MISBEHAVIOURS: [(&str, Behaviour); 8] = [
    ("loops", plain('b').work(Work::Loop)),
    ("traps", plain('b').work(Work::Trap)),
    ("takes all memory and traps", plain('b').work(Work::HoardAndTrap)),
    ("takes all memory and answers", plain('b').work(Work::Hoard)),
    ("waits in the host", plain('b').work(Work::Sleep)),
    ("scans without end", plain('b').work(Work::Scan)),
    ("prints without end", plain('b').work(Work::PrintWithoutEnd)),
    ("prints much and answers", plain('b').work(Work::PrintMuch)),
];
/// The turns of each, and the length of one. There are many, so both are small.
const TURNS: usize = 3;
const TURN: Duration = Duration::from_secs(2);
/// How long a running call is waited for.
const PATIENCE: Duration = Duration::from_millis(200);
/// The rows to scan.
const ROWS: u32 = 300_000;

pub async fn run() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    // Every call runs, because the cost of modules that run at the same time is measured. What the
    // host logs about misbehaving ones is part of it.
    let log = dir.path().join("log");
    let server = Server::stowage_logging(&data, EVERY_CALL_RUNS, &log)?;
    for n in 0..FOLDERS {
        load::once(server.address, &Request::create(&format!("folder {n}"))).await?;
    }
    let admin = Admin::at(server.address, &data);
    beside_trials(&server, &admin).await?;
    beside_misbehaviour(&server, &admin, &log).await?;
    latency(&admin).await
}

/// The same calls without trials, and with every other module on probation, in shadow or in canary.
async fn beside_trials(server: &Server, admin: &Admin) -> anyhow::Result<()> {
    println!("\nreads of favorites, {CONNECTIONS} connections, with trials of other modules beside them");
    let list = Request::list();
    let listed = move |_| list.clone();
    let mut rounds = Rounds::new(["no trials", "trials elsewhere"]);
    for round in 0..ROUNDS {
        let quiet = load::run(server.address, CONNECTIONS, ROUND, listed.clone()).await?;
        let swapped = variant(&module("temp-files"), &format!("{round}"));
        done(admin.upload("swap", &[("temp-files", &swapped)], "&probation=60").await)?;
        let candidate = variant(&module("backups"), "candidate");
        done(admin.upload("shadow", &[("backups", &candidate)], "").await)?;
        let candidate = variant(&module("common"), "candidate");
        done(admin.upload("canary", &[("common", &candidate)], "&percent=50").await)?;
        let tried = load::run(server.address, CONNECTIONS, ROUND, listed.clone()).await?;
        for name in ["backups", "common"] {
            done(admin.post("modules/abort", json!({ "name": name })).await)?;
        }
        done(admin.post("modules/promote", json!({"name": "temp-files"})).await)?;
        rounds.push([quiet, tried]);
    }
    rounds.print();
    rounds.print_ratio("trials elsewhere", "no trials");
    Ok(())
}

/// Calls of another module while one misbehaves: live, in shadow, in canary.
async fn beside_misbehaviour(server: &Server, admin: &Admin, log: &Path) -> anyhow::Result<()> {
    let list = Request::list();
    let listed = move |_| list.clone();
    let good = changing(plain('a'));
    done(admin.upload("swap", &[("changing", &good)], "&probation=0").await)?;
    load::once(server.address, &Request::fill(ROWS)).await?;
    for (what, bad) in MISBEHAVIOURS {
        println!("\nreads of favorites, {CONNECTIONS} connections, while {VICTIMS} call a module that {what}");
        let bad = changing(bad);
        let logged_before = std::fs::metadata(log)?.len();
        let mut rounds = Rounds::new(["it behaves", "live", "in shadow", "in canary"]);
        for _ in 0..TURNS {
            let mut measured = Vec::new();
            for how in ["it behaves", "live", "in shadow", "in canary"] {
                done(admin.upload("swap", &[("changing", &good)], "&probation=0").await)?;
                match how {
                    "live" => done(admin.upload("swap", &[("changing", &bad)], "&probation=0").await)?,
                    "in shadow" => done(admin.upload("shadow", &[("changing", &bad)], "").await)?,
                    "in canary" => {
                        let never = "&percent=50&maxFaults=1000000";
                        done(admin.upload("canary", &[("changing", &bad)], never).await)?
                    }
                    _ => Value::Null,
                };
                let victims = Victims::start(server.address);
                measured.push(load::run(server.address, CONNECTIONS, TURN, listed.clone()).await?);
                victims.stop().await?;
                if how.starts_with("in ") {
                    done(admin.post("modules/abort", json!({"name": "changing"})).await)?;
                }
            }
            rounds.push(measured.try_into().ok().context("four figures")?);
        }
        rounds.print();
        for how in ["live", "in shadow", "in canary"] {
            rounds.print_p99_ratio(how, "it behaves");
        }
        let logged = std::fs::metadata(log)?.len() - logged_before;
        println!(
            "  log {} KiB, resident memory {:.1} MiB",
            logged >> 10,
            server.resident_mib()?
        );
    }
    Ok(())
}

/// The latency of a swap.
async fn latency(admin: &Admin) -> anyhow::Result<()> {
    println!("\nswaps of favorites, one after another");
    let versions = ["a", "b"].map(|text| variant(&module("favorites"), text));
    let (mut command, mut switch, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..SWAPS {
        let started = Instant::now();
        let report = done(
            admin
                .upload("swap", &[("favorites", &versions[n % 2])], "&probation=0")
                .await,
        )?;
        let elapsed_ms = started.elapsed().as_secs_f64() * 1e3;
        // The first two are compiled.
        if n < versions.len() {
            fresh.push(elapsed_ms);
        } else {
            command.push(elapsed_ms);
            switch.push(report["switchUs"].as_f64().unwrap_or_default() / 1e3);
        }
    }
    println!("  the command, compiled    {:>8.2} ms", median(command));
    println!("  of which the switch      {:>8.2} ms", median(switch));
    println!("  the command, not compiled{:>8.2} ms", median(fresh));
    Ok(())
}

fn done((status, body): (u16, Value)) -> anyhow::Result<Value> {
    anyhow::ensure!(status == 200, "{status} {body}");
    Ok(body)
}

/// Calls the module that misbehaves, whatever it answers.
struct Victims {
    over: Arc<AtomicBool>,
    callers: Vec<tokio::task::JoinHandle<anyhow::Result<()>>>,
}

impl Victims {
    fn start(address: SocketAddr) -> Victims {
        let over = Arc::new(AtomicBool::new(false));
        let callers = (0..VICTIMS)
            .map(|_| {
                let over = Arc::clone(&over);
                // One connection each: a new one for every call would use up the client's ports.
                tokio::spawn(async move {
                    let mut client = Client::connect(address).await?;
                    while !over.load(Ordering::Relaxed) {
                        // Failures are expected.
                        client.exchange(&Request::work()).await?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        Victims { over, callers }
    }

    /// Ends the calls. The connection of a call that takes long is closed.
    async fn stop(self) -> anyhow::Result<()> {
        self.over.store(true, Ordering::Relaxed);
        for mut caller in self.callers {
            match tokio::time::timeout(PATIENCE, &mut caller).await {
                Ok(ended) => ended??,
                Err(_) => caller.abort(),
            }
        }
        Ok(())
    }
}
