//! The state of each watched file, and which files are ready to go live. It uses neither disk nor
//! server.
//!
//! A file is *changing* from the scan that finds it changed until its stamp and its content have
//! been the same for the settle time. Then it is *settled*, and waits for others that are changing:
//! files that were put there together go live together. A version that went live, or was refused,
//! is *done*: it is ignored until the content changes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::directory::{Files, Stamp};

/// How long a settled file waits for files that keep changing.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// How long a set waits after the deployer was too busy for it.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// What is ready to go live.
#[derive(Debug, PartialEq)]
pub(super) enum Ready {
    /// Nothing, and no file is changing.
    Nothing,
    /// Nothing, but something may be after this time.
    Wait(Duration),
    /// These names with these versions, to go live together.
    Set(Vec<(String, String)>),
}

#[derive(Debug)]
struct Entry {
    stamp: Stamp,
    /// It was there at the first scan and has not changed since.
    initial: bool,
    changing: Option<Changing>,
    /// The version that is to go live, and since when it is settled.
    settled: Option<(String, Instant)>,
    /// The version that went live or was refused.
    done: Option<String>,
    /// The file of the same set that was refused. This one goes live with it when it changes.
    waits_for: Option<String>,
    /// It is logged that the file cannot be read.
    is_unreadable: bool,
}

#[derive(Debug)]
struct Changing {
    since: Instant,
    /// The version that was read since then.
    version: Option<String>,
}

/// The states of the watched files.
#[derive(Debug)]
pub(super) struct Ledger {
    settle: Duration,
    entries: BTreeMap<String, Entry>,
    has_scanned: bool,
    /// Names and versions that are ignored at the first scan.
    ignored: HashSet<(String, String)>,
    /// Nothing goes live before this time.
    postponed_to: Option<Instant>,
}

impl Ledger {
    pub(super) fn new(settle: Duration) -> Ledger {
        Ledger {
            settle,
            entries: BTreeMap::new(),
            has_scanned: false,
            ignored: HashSet::new(),
            postponed_to: None,
        }
    }

    /// Ignores this version if the first scan finds it.
    pub(super) fn ignore(&mut self, name: String, version: String) {
        self.ignored.insert((name, version));
    }

    /// Takes the files of a scan. Returns the names that are gone.
    pub(super) fn update_files(&mut self, files: &Files, now: Instant) -> Vec<String> {
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
                        initial: !self.has_scanned,
                        changing,
                        settled: None,
                        done: None,
                        waits_for: None,
                        is_unreadable: false,
                    };
                    self.entries.insert(name.clone(), entry);
                }
            }
        }
        self.has_scanned = true;
        gone
    }

    /// The files whose content is to be read now.
    pub(super) fn due_for_reading(&self, now: Instant) -> Vec<String> {
        let due = |entry: &Entry| match &entry.changing {
            Some(Changing { version: None, .. }) => true,
            Some(changing) => now >= changing.since + self.settle,
            None => false,
        };
        let due = self.entries.iter().filter(|(_, entry)| due(entry));
        due.map(|(name, _)| name.clone()).collect()
    }

    /// Takes the version of a file's content.
    pub(super) fn update_content(&mut self, name: &str, version: String, now: Instant) {
        let settle = self.settle;
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        entry.is_unreadable = false;
        let Some(changing) = &mut entry.changing else {
            return;
        };
        if changing.version.as_ref() != Some(&version) {
            // The first reading, or a change that the stamp does not show.
            if changing.version.is_some() {
                changing.since = now;
            }
            changing.version = Some(version);
        } else if now >= changing.since + settle {
            entry.changing = None;
            if entry.done.as_ref() != Some(&version) {
                entry.waits_for = None;
                entry.settled = Some((version, now));
            }
        }
    }

    /// Notes that a file cannot be read. Returns whether that is new.
    pub(super) fn mark_unreadable(&mut self, name: &str) -> bool {
        self.entries
            .get_mut(name)
            .is_some_and(|entry| !std::mem::replace(&mut entry.is_unreadable, true))
    }

    /// What is to go live, given the live versions.
    pub(super) fn ready(&mut self, live: &HashMap<String, String>, now: Instant) -> Ready {
        self.finish_live(live, now);
        let next = self.entries.values().filter_map(|e| e.changing.as_ref());
        let next = next
            .map(|c| (c.since + self.settle).saturating_duration_since(now))
            .min();
        let settled = || self.entries.values().filter_map(|e| e.settled.as_ref());
        let Some(oldest) = settled().map(|(_, since)| *since).min() else {
            return next.map_or(Ready::Nothing, Ready::Wait);
        };
        if let Some(time) = self.postponed_to.filter(|time| now < *time) {
            return Ready::Wait(time - now);
        }
        if let Some(next) = next.filter(|_| now < oldest + MAX_WAIT) {
            return Ready::Wait(next);
        }
        let is_settled = |name: &String| self.entries.get(name).is_some_and(|e| e.settled.is_some());
        let set = self.entries.iter().filter_map(|(name, entry)| {
            let along = entry.done.as_ref().filter(|_| {
                let with = entry.waits_for.as_ref();
                entry.changing.is_none() && with.is_some_and(is_settled)
            });
            let version = entry.settled.as_ref().map(|(version, _)| version).or(along)?;
            Some((name.clone(), version.clone()))
        });
        Ready::Set(set.collect())
    }

    /// Marks versions as done that are live already, or that are ignored.
    fn finish_live(&mut self, live: &HashMap<String, String>, now: Instant) {
        let mut released = Vec::new();
        for (name, entry) in &mut self.entries {
            let Some((version, _)) = &entry.settled else {
                continue;
            };
            let is_live = live.get(name) == Some(version);
            let is_ignored = entry.initial && self.ignored.contains(&(name.clone(), version.clone()));
            if !is_live && !is_ignored {
                continue;
            }
            if is_ignored && !is_live {
                tracing::info!(
                    module = name,
                    version,
                    "ignored: this version of the watched directory was live before and has been replaced"
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

    /// Lets files go live that wait for this one.
    fn release(&mut self, name: &str, now: Instant) {
        for entry in self.entries.values_mut() {
            if entry.waits_for.as_deref() == Some(name) {
                entry.waits_for = None;
                if entry.changing.is_none() {
                    entry.settled = entry.done.take().map(|version| (version, now));
                }
            }
        }
    }

    /// Starts again with a file whose content has changed since it was read.
    pub(super) fn restart(&mut self, name: &str, now: Instant) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.settled = None;
            entry.changing = Some(Changing {
                since: now,
                version: None,
            });
        }
    }

    /// Marks a set as done.
    pub(super) fn finish(&mut self, set: &[(String, String)]) {
        self.postponed_to = None;
        for (name, version) in set {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.settled = None;
                entry.done = Some(version.clone());
                entry.waits_for = None;
            }
        }
    }

    /// Marks a set as done after the module `culprit` was refused. When that file changes, the
    /// others go live with it; each may also change by itself.
    pub(super) fn refuse(&mut self, set: &[(String, String)], culprit: &str) {
        self.finish(set);
        if !set.iter().any(|(name, _)| name == culprit) {
            return;
        }
        for (name, _) in set.iter().filter(|(name, _)| name != culprit) {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.waits_for = Some(culprit.to_owned());
            }
        }
    }

    /// Tries again later. Returns whether that is new.
    pub(super) fn postpone(&mut self, now: Instant) -> bool {
        self.postponed_to.replace(now + BUSY_WAIT).is_none()
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

        fn scan(&mut self) -> Ready {
            let files = self
                .files
                .iter()
                .map(|(name, (stamp, _))| (name.clone(), *stamp))
                .collect();
            self.ledger.update_files(&files, self.now);
            for name in self.ledger.due_for_reading(self.now) {
                self.ledger.update_content(&name, self.files[&name].1.clone(), self.now);
            }
            self.ledger.ready(&self.live, self.now)
        }

        fn after(&mut self, ms: u64) -> Ready {
            self.now += Duration::from_millis(ms);
            self.scan()
        }

        /// The names that are ready once everything has settled.
        fn settled(&mut self) -> Vec<(String, String)> {
            self.scan();
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
        assert_eq!(scene.scan(), Ready::Nothing);
        scene.write("a", "ha");
        assert_eq!(scene.scan(), Ready::Wait(SETTLE));
        assert_eq!(scene.after(300), Ready::Wait(Duration::from_millis(200)));
        scene.write("a", "half");
        assert_eq!(scene.after(300), Ready::Wait(SETTLE), "it was still written");
        assert_eq!(scene.after(499), Ready::Wait(Duration::from_millis(1)));
        assert_eq!(scene.after(1), Ready::Set(set(&[("a", "half")])));
        scene.ledger.finish(&set(&[("a", "half")]));
        assert_eq!(scene.after(1000), Ready::Nothing);
    }

    #[test]
    fn a_change_that_the_stamp_hides_is_found() {
        let mut scene = Scene::new();
        scene.write("a", "old");
        scene.scan();
        scene.files.get_mut("a").expect("written").1 = "new".into();
        assert_eq!(scene.after(500), Ready::Wait(SETTLE));
        assert_eq!(scene.after(500), Ready::Set(set(&[("a", "new")])));
    }

    #[test]
    fn what_changes_together_goes_live_together() {
        let mut scene = Scene::new();
        scene.write("a", "1");
        scene.scan();
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
        scene.scan();
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
        scene.ledger.refuse(&set(&[("b", "2")]), "b");
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
        scene.ledger.finish(&ready);
        let file = scene.files.remove("a").expect("written");
        assert_eq!(scene.scan(), Ready::Nothing);
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
        scene.ledger.refuse(&ready, "bad");
        assert_eq!(scene.after(1000), Ready::Nothing);
        scene.write("other", "2");
        assert_eq!(
            scene.settled(),
            set(&[("other", "2")]),
            "a change of its own is not held up"
        );
        scene.ledger.finish(&set(&[("other", "2")]));
        scene.write("bad", "2");
        assert_eq!(scene.settled(), set(&[("bad", "2"), ("good", "1")]));
    }

    #[test]
    fn the_others_of_a_refused_set_go_when_the_refused_one_is_gone() {
        let mut scene = Scene::new();
        scene.write("bad", "1");
        scene.write("good", "1");
        let ready = scene.settled();
        scene.ledger.refuse(&ready, "bad");
        scene.files.remove("bad");
        assert_eq!(scene.scan(), Ready::Set(set(&[("good", "1")])));
    }

    #[test]
    fn what_was_replaced_before_the_first_look_is_left_aside_until_it_changes() {
        let mut scene = Scene::new();
        scene.ledger.ignore("a".into(), "1".into());
        scene.write("a", "1");
        scene.write("b", "1");
        let ready = scene.settled();
        assert_eq!(ready, set(&[("b", "1")]));
        scene.ledger.finish(&ready);
        scene.write("a", "2");
        let ready = scene.settled();
        scene.ledger.finish(&ready);
        scene.write("a", "1");
        assert_eq!(scene.settled(), set(&[("a", "1")]), "somebody has put it back");
    }

    #[test]
    fn a_set_that_nobody_had_time_for_is_tried_again() {
        let mut scene = Scene::new();
        scene.write("a", "1");
        let ready = scene.settled();
        assert!(scene.ledger.postpone(scene.now), "told once");
        assert_eq!(scene.scan(), Ready::Wait(BUSY_WAIT));
        assert_eq!(scene.after(5000), Ready::Set(ready));
        assert!(!scene.ledger.postpone(scene.now));
    }
}
