//! What is known of each watched file, and what is ready to go live. Knows no disk and no server.
//!
//! A file is *changing* from the look that finds it changed until its stamp and its content have been the same for the time to
//! settle; then it is *settled*, and waits for others that are changing, so that what was put there together goes live together. What
//! went live, or was refused, is *done* until its content is another.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::directory::{Files, Stamp};

/// How long a settled file waits for those that change and change.
const MOST_WAIT: Duration = Duration::from_secs(10);

/// How long a set waits that the deployer was too busy for.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// What is ready.
#[derive(Debug, PartialEq)]
pub(super) enum Ready {
    /// Nothing, and nothing is changing.
    Nothing,
    /// Something may be in this time.
    Wait(Duration),
    /// These names with these versions, to go live together.
    Set(Vec<(String, String)>),
}

#[derive(Debug)]
struct Entry {
    stamp: Stamp,
    /// It was there at the first look and has not changed since.
    initial: bool,
    changing: Option<Changing>,
    /// The version to go live, and since when it is ready.
    settled: Option<(String, Instant)>,
    /// The version that there is nothing to do about.
    done: Option<String>,
    /// The file that was refused when this one was to go live together with it: it goes along again when that changes.
    with: Option<String>,
    /// That it cannot be read has been said.
    unreadable: bool,
}

#[derive(Debug)]
struct Changing {
    since: Instant,
    /// What was read at the first look.
    version: Option<String>,
}

/// The files that are watched.
#[derive(Debug)]
pub(super) struct Ledger {
    settle: Duration,
    entries: BTreeMap<String, Entry>,
    looked: bool,
    forgone: HashSet<(String, String)>,
    /// Not before.
    put_off: Option<Instant>,
}

impl Ledger {
    pub(super) fn new(settle: Duration) -> Ledger {
        Ledger {
            settle,
            entries: BTreeMap::new(),
            looked: false,
            forgone: HashSet::new(),
            put_off: None,
        }
    }

    /// Does nothing about this version if it is there at the first look.
    pub(super) fn forgo(&mut self, name: String, version: String) {
        self.forgone.insert((name, version));
    }

    /// Takes note of what the directory has. Gives the names that have gone.
    pub(super) fn see(&mut self, files: &Files, now: Instant) -> Vec<String> {
        let gone: Vec<String> = self
            .entries
            .keys()
            .filter(|name| !files.contains_key(*name))
            .cloned()
            .collect();
        for name in &gone {
            self.entries.remove(name);
            self.release(name, now);
        }
        for (name, stamp) in files {
            let changing = Some(Changing {
                since: now,
                version: None,
            });
            match self.entries.get_mut(name) {
                Some(entry) if entry.stamp == *stamp => {}
                Some(entry) => {
                    entry.stamp = *stamp;
                    entry.initial = false;
                    entry.changing = changing;
                    entry.settled = None;
                }
                None => {
                    let entry = Entry {
                        stamp: *stamp,
                        initial: !self.looked,
                        changing,
                        settled: None,
                        done: None,
                        with: None,
                        unreadable: false,
                    };
                    self.entries.insert(name.clone(), entry);
                }
            }
        }
        self.looked = true;
        gone
    }

    /// The files whose content is to be read now.
    pub(super) fn to_read(&self, now: Instant) -> Vec<String> {
        let due = |entry: &Entry| match &entry.changing {
            Some(Changing { version: None, .. }) => true,
            Some(changing) => now >= changing.since + self.settle,
            None => false,
        };
        let due = self.entries.iter().filter(|(_, entry)| due(entry));
        due.map(|(name, _)| name.clone()).collect()
    }

    /// Takes note of a file's content.
    pub(super) fn read(&mut self, name: &str, version: String, now: Instant) {
        let settle = self.settle;
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        entry.unreadable = false;
        let Some(changing) = &mut entry.changing else {
            return;
        };
        if changing.version.as_ref() != Some(&version) {
            // The first look, or a change that the stamp does not tell of.
            if changing.version.is_some() {
                changing.since = now;
            }
            changing.version = Some(version);
        } else if now >= changing.since + settle {
            entry.changing = None;
            if entry.done.as_ref() != Some(&version) {
                entry.with = None;
                entry.settled = Some((version, now));
            }
        }
    }

    /// Takes note that a file cannot be read. Says whether that is new.
    pub(super) fn unreadable(&mut self, name: &str) -> bool {
        self.entries
            .get_mut(name)
            .is_some_and(|entry| !std::mem::replace(&mut entry.unreadable, true))
    }

    /// What is to go live, given what is.
    pub(super) fn ready(&mut self, live: &HashMap<String, String>, now: Instant) -> Ready {
        self.set_aside(live, now);
        let next = self.entries.values().filter_map(|e| e.changing.as_ref());
        let next = next
            .map(|c| (c.since + self.settle).saturating_duration_since(now))
            .min();
        let settled = || self.entries.values().filter_map(|e| e.settled.as_ref());
        let Some(oldest) = settled().map(|(_, since)| *since).min() else {
            return next.map_or(Ready::Nothing, Ready::Wait);
        };
        if let Some(time) = self.put_off.filter(|time| now < *time) {
            return Ready::Wait(time - now);
        }
        if let Some(next) = next.filter(|_| now < oldest + MOST_WAIT) {
            return Ready::Wait(next);
        }
        let is_settled = |name: &String| self.entries.get(name).is_some_and(|e| e.settled.is_some());
        let set = self.entries.iter().filter_map(|(name, entry)| {
            let along = entry.done.as_ref().filter(|_| {
                let with = entry.with.as_ref();
                entry.changing.is_none() && with.is_some_and(is_settled)
            });
            let version = entry.settled.as_ref().map(|(version, _)| version).or(along)?;
            Some((name.clone(), version.clone()))
        });
        Ready::Set(set.collect())
    }

    /// Is done with what is live already, and with what was replaced before the first look.
    fn set_aside(&mut self, live: &HashMap<String, String>, now: Instant) {
        let mut released = Vec::new();
        for (name, entry) in &mut self.entries {
            let Some((version, _)) = &entry.settled else {
                continue;
            };
            let is_live = live.get(name) == Some(version);
            let is_forgone = entry.initial && self.forgone.contains(&(name.clone(), version.clone()));
            if !is_live && !is_forgone {
                continue;
            }
            if is_forgone && !is_live {
                tracing::info!(
                    module = name,
                    version,
                    "left aside: this version of the watched directory was live before and has been replaced"
                );
            }
            entry.done = entry.settled.take().map(|(version, _)| version);
            if is_live {
                released.push(name.clone());
            }
        }
        for name in released {
            self.release(&name, now);
        }
    }

    /// Lets those go that waited for a file.
    fn release(&mut self, name: &str, now: Instant) {
        for entry in self.entries.values_mut() {
            if entry.with.as_deref() == Some(name) {
                entry.with = None;
                if entry.changing.is_none() {
                    entry.settled = entry.done.take().map(|version| (version, now));
                }
            }
        }
    }

    /// Begins anew with a file that was not what had been read.
    pub(super) fn changed_again(&mut self, name: &str, now: Instant) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.settled = None;
            entry.changing = Some(Changing {
                since: now,
                version: None,
            });
        }
    }

    /// Is done with a set.
    pub(super) fn done(&mut self, set: &[(String, String)]) {
        self.put_off = None;
        for (name, version) in set {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.settled = None;
                entry.done = Some(version.clone());
                entry.with = None;
            }
        }
    }

    /// Is done with a set until one of it, which was refused, changes; each of the others may also change by itself.
    pub(super) fn refused(&mut self, set: &[(String, String)], culprit: &str) {
        self.done(set);
        if !set.iter().any(|(name, _)| name == culprit) {
            return;
        }
        for (name, _) in set.iter().filter(|(name, _)| name != culprit) {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.with = Some(culprit.to_owned());
            }
        }
    }

    /// Tries later. Says whether that is new.
    pub(super) fn put_off(&mut self, now: Instant) -> bool {
        self.put_off.replace(now + BUSY_WAIT).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_millis(500);

    /// A directory whose files have texts, and the ledger that looks at it.
    struct Scene {
        ledger: Ledger,
        files: BTreeMap<String, (Stamp, String)>,
        live: HashMap<String, String>,
        now: Instant,
        writes: i64,
    }

    impl Scene {
        fn new() -> Scene {
            Scene {
                ledger: Ledger::new(SETTLE),
                files: BTreeMap::new(),
                live: HashMap::new(),
                now: Instant::now(),
                writes: 0,
            }
        }

        fn write(&mut self, name: &str, text: &str) {
            self.writes += 1;
            let stamp = Stamp {
                len: text.len() as u64,
                modified_s: self.writes,
                modified_ns: 0,
                inode: 1,
            };
            self.files.insert(name.into(), (stamp, text.into()));
        }

        fn look(&mut self) -> Ready {
            let files = self
                .files
                .iter()
                .map(|(name, (stamp, _))| (name.clone(), *stamp))
                .collect();
            self.ledger.see(&files, self.now);
            for name in self.ledger.to_read(self.now) {
                self.ledger.read(&name, self.files[&name].1.clone(), self.now);
            }
            self.ledger.ready(&self.live, self.now)
        }

        fn after(&mut self, ms: u64) -> Ready {
            self.now += Duration::from_millis(ms);
            self.look()
        }

        /// The names that are ready once everything has settled.
        fn settled(&mut self) -> Vec<(String, String)> {
            self.look();
            match self.after(500) {
                Ready::Set(set) => set,
                Ready::Nothing => Vec::new(),
                Ready::Wait(time) => panic!("still waits {time:?}"),
            }
        }
    }

    fn set(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_file_is_ready_when_it_has_been_the_same_for_long_enough() {
        let mut scene = Scene::new();
        assert_eq!(scene.look(), Ready::Nothing);
        scene.write("a", "ha");
        assert_eq!(scene.look(), Ready::Wait(SETTLE));
        assert_eq!(scene.after(300), Ready::Wait(Duration::from_millis(200)));
        scene.write("a", "half");
        assert_eq!(scene.after(300), Ready::Wait(SETTLE), "it was still written");
        assert_eq!(scene.after(499), Ready::Wait(Duration::from_millis(1)));
        assert_eq!(scene.after(1), Ready::Set(set(&[("a", "half")])));
        scene.ledger.done(&set(&[("a", "half")]));
        assert_eq!(scene.after(1000), Ready::Nothing);
    }

    #[test]
    fn a_change_that_the_stamp_hides_is_found() {
        let mut scene = Scene::new();
        scene.write("a", "old");
        scene.look();
        scene.files.get_mut("a").expect("written").1 = "new".into();
        assert_eq!(scene.after(500), Ready::Wait(SETTLE));
        assert_eq!(scene.after(500), Ready::Set(set(&[("a", "new")])));
    }

    #[test]
    fn what_changes_together_goes_live_together() {
        let mut scene = Scene::new();
        scene.write("a", "1");
        scene.look();
        scene.write("b", "2");
        scene.after(400);
        assert_eq!(
            scene.after(100),
            Ready::Wait(Duration::from_millis(400)),
            "b is not settled"
        );
        assert_eq!(scene.after(400), Ready::Set(set(&[("a", "1"), ("b", "2")])));
    }

    #[test]
    fn a_file_that_changes_for_ever_holds_up_nobody_for_long() {
        let mut scene = Scene::new();
        scene.write("a", "1");
        scene.look();
        let mut waited = 0;
        let ready = loop {
            scene.write("b", &waited.to_string());
            match scene.after(100) {
                Ready::Set(set) => break set,
                _ => waited += 100,
            }
            assert!(waited < 20_000, "a never went live");
        };
        assert_eq!(ready, set(&[("a", "1")]));
    }

    #[test]
    fn content_that_is_live_or_done_needs_nothing() {
        let mut scene = Scene::new();
        scene.live.insert("a".into(), "1".into());
        scene.write("a", "1");
        assert_eq!(scene.settled(), []);
        scene.write("b", "2");
        assert_eq!(scene.settled(), set(&[("b", "2")]));
        scene.ledger.refused(&set(&[("b", "2")]), "b");
        scene.write("b", "2");
        assert_eq!(scene.settled(), [], "the same content again");
        scene.write("b", "3");
        assert_eq!(scene.settled(), set(&[("b", "3")]));
    }

    #[test]
    fn a_file_that_went_and_came_back_is_new() {
        let mut scene = Scene::new();
        scene.write("a", "1");
        let ready = scene.settled();
        scene.ledger.done(&ready);
        let file = scene.files.remove("a").expect("written");
        assert_eq!(scene.look(), Ready::Nothing);
        scene.files.insert("a".into(), file);
        assert_eq!(scene.settled(), set(&[("a", "1")]));
    }

    #[test]
    fn the_others_of_a_refused_set_go_along_when_the_refused_one_changes() {
        let mut scene = Scene::new();
        scene.write("bad", "1");
        scene.write("good", "1");
        scene.write("other", "1");
        let ready = scene.settled();
        assert_eq!(ready.len(), 3);
        scene.ledger.refused(&ready, "bad");
        assert_eq!(scene.after(1000), Ready::Nothing);
        scene.write("other", "2");
        assert_eq!(
            scene.settled(),
            set(&[("other", "2")]),
            "a change of its own is not held up"
        );
        scene.ledger.done(&set(&[("other", "2")]));
        scene.write("bad", "2");
        assert_eq!(scene.settled(), set(&[("bad", "2"), ("good", "1")]));
    }

    #[test]
    fn the_others_of_a_refused_set_go_when_the_refused_one_is_gone() {
        let mut scene = Scene::new();
        scene.write("bad", "1");
        scene.write("good", "1");
        let ready = scene.settled();
        scene.ledger.refused(&ready, "bad");
        scene.files.remove("bad");
        assert_eq!(scene.look(), Ready::Set(set(&[("good", "1")])));
    }

    #[test]
    fn what_was_replaced_before_the_first_look_is_left_aside_until_it_changes() {
        let mut scene = Scene::new();
        scene.ledger.forgo("a".into(), "1".into());
        scene.write("a", "1");
        scene.write("b", "1");
        let ready = scene.settled();
        assert_eq!(ready, set(&[("b", "1")]));
        scene.ledger.done(&ready);
        scene.write("a", "2");
        let ready = scene.settled();
        scene.ledger.done(&ready);
        scene.write("a", "1");
        assert_eq!(scene.settled(), set(&[("a", "1")]), "somebody has put it back");
    }

    #[test]
    fn a_set_that_nobody_had_time_for_is_tried_again() {
        let mut scene = Scene::new();
        scene.write("a", "1");
        let ready = scene.settled();
        assert!(scene.ledger.put_off(scene.now), "told once");
        assert_eq!(scene.look(), Ready::Wait(BUSY_WAIT));
        assert_eq!(scene.after(5000), Ready::Set(ready));
        assert!(!scene.ledger.put_off(scene.now));
    }
}
