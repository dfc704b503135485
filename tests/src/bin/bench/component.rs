//! The cost of one call without HTTP, on a new and on a reused instance.

use std::sync::Arc;
use std::time::Instant;

use stowage::{Services, builtin_code, builtin_modules};
use stowage_cloud::{Cloud, OpenOptions, Space};
use stowage_logic::{Config, Generation, Logic, Reuse, rpc};
use stowage_storage::Store;
use stowage_transfer::{Feed, Transfers};

use super::report::median;

/// The calls of one round.
const CALLS: u32 = 2000;
const ROUNDS: usize = 5;

pub async fn run() -> anyhow::Result<()> {
    println!("\none call of getImFavoriteFolders (a page of 10), one at a time, no HTTP");
    let reused = cost(Reuse::default()).await?;
    let fresh = cost(Reuse {
        calls: 1,
        ..Reuse::default()
    })
    .await?;
    println!("  reused instance    {reused:>7.1} µs");
    println!("  fresh instance     {fresh:>7.1} µs");
    println!("  fresh / reused = {:.2}", fresh / reused);
    Ok(())
}

/// Microseconds a call, the median of the rounds.
async fn cost(reuse: Reuse) -> anyhow::Result<f64> {
    let dir = tempfile::tempdir()?;
    let store = Store::in_memory(stowage_storage::Config::default());
    let space = Space::open(
        "memory:///",
        OpenOptions {
            create: Some(10 << 30),
            ..OpenOptions::default()
        },
    )
    .await?;
    let cloud = Cloud::open(space, store.clone()).await?;
    let feed = Feed::new();
    let config = stowage_transfer::Config::new(dir.path().join("downloads"), dir.path().join("temp"));
    let transfers = Transfers::open(store.clone(), cloud.clone(), feed.clone(), config)?;
    let logic = Logic::new(
        Config {
            reuse,
            // No response cache: every call runs.
            response_cache_bytes: 0,
            // As the server runs them.
            precompiled: builtin_code(),
            ..Config::default()
        },
        store,
        Services { cloud, transfers, feed }.shared(),
    )?;
    let mut modules = Vec::new();
    for (name, bytes) in builtin_modules() {
        modules.push(Arc::new(logic.load(&name, bytes).await?));
    }
    logic.serve(Generation::new(modules));
    for n in 0..9 {
        call(
            &logic,
            "/createImFavoriteFolder",
            &format!(r#"{{"name":"folder {n}"}}"#),
        )
        .await?;
    }
    let mut rounds = Vec::new();
    for _ in 0..=ROUNDS {
        let started = Instant::now();
        for _ in 0..CALLS {
            call(&logic, "/getImFavoriteFolders", r#"{"page":1,"pageSize":10}"#).await?;
        }
        rounds.push(started.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS));
    }
    // The first round warms up.
    Ok(median(rounds.split_off(1)))
}

async fn call(logic: &Logic, path: &str, body: &str) -> anyhow::Result<()> {
    let answer = rpc::answer(logic, path, body.to_owned().into()).await;
    anyhow::ensure!(answer.code() == 200, "{}", String::from_utf8_lossy(&answer.into_json()));
    Ok(())
}
