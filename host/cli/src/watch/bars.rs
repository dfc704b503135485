//! Rows as progress bars on a terminal.

use std::collections::{HashMap, VecDeque};
use std::io;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::row::{Row, Standing, Task};

/// The most tasks of a snapshot that ended before the watch and are printed.
const MAX_ENDED_OF_SNAPSHOT: usize = 10;

/// The most bars, however tall the terminal is.
const MAX_BARS: usize = 40;

/// The bars of running tasks, below the lines of ended ones.
///
/// There are no more bars than the terminal has rows. Other tasks wait, the newest last, and are
/// counted.
pub(super) struct Bars {
    multi: MultiProgress,
    style: ProgressStyle,
    rows: HashMap<Task, Row>,
    bars: HashMap<Task, ProgressBar>,
    queue: VecDeque<Task>,
    more: Option<ProgressBar>,
    capacity: usize,
}

impl Bars {
    pub(super) fn new() -> Self {
        let (height, _) = Term::stdout().size();
        let capacity = usize::from(height).saturating_sub(3).clamp(1, MAX_BARS);
        Self::with(MultiProgress::with_draw_target(ProgressDrawTarget::stdout()), capacity)
    }

    fn with(multi: MultiProgress, capacity: usize) -> Self {
        // Names are cut at 30 columns. Wide characters count as two.
        let style = ProgressStyle::with_template("{prefix:30!} {bar:24.cyan/blue} {msg}")
            .expect("a constant template that the tests draw")
            .progress_chars("█▉▊▋▌▍▎▏░");
        Self {
            multi,
            style,
            rows: HashMap::new(),
            bars: HashMap::new(),
            queue: VecDeque::new(),
            more: None,
            capacity,
        }
    }

    /// Shows rows that have changed.
    pub(super) fn show(&mut self, rows: Vec<Row>, is_snapshot: bool) -> io::Result<()> {
        let (mut ended, active): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| row.state().1 != Standing::Active);
        if is_snapshot {
            ended.sort_by_key(Row::time);
            // A task with a bar has ended during the watch, and always gets its line.
            let (watched, mut earlier): (Vec<Row>, Vec<Row>) =
                ended.into_iter().partition(|row| self.rows.contains_key(&row.task()));
            let left_out = earlier.len().saturating_sub(MAX_ENDED_OF_SNAPSHOT);
            if left_out > 0 {
                self.multi.println(format!("… {left_out} earlier transfers"))?;
            }
            ended = earlier.split_off(left_out);
            ended.extend(watched);
        }
        for row in ended {
            self.multi.println(line(&row))?;
            self.drop_task(&row.task());
        }
        for row in active {
            let task = row.task();
            if let Some(bar) = self.bars.get(&task) {
                draw(bar, &row);
            } else if !self.rows.contains_key(&task) {
                self.queue.push_back(task.clone());
            }
            self.rows.insert(task, row);
        }
        self.fill();
        Ok(())
    }

    fn drop_task(&mut self, task: &Task) {
        if self.rows.remove(task).is_none() {
            return;
        }
        match self.bars.remove(task) {
            Some(bar) => {
                bar.finish_and_clear();
                self.multi.remove(&bar);
            }
            None => self.queue.retain(|waiting| waiting != task),
        }
    }

    /// Gives free bars to waiting tasks, and counts the other ones.
    fn fill(&mut self) {
        while self.bars.len() < self.capacity {
            let Some(task) = self.queue.pop_front() else { break };
            let Some(row) = self.rows.get(&task) else { continue };
            let bar = self
                .multi
                .insert(self.bars.len(), ProgressBar::new(100).with_style(self.style.clone()));
            bar.set_prefix(row.name());
            draw(&bar, row);
            self.bars.insert(task, bar);
        }
        if self.queue.is_empty() {
            if let Some(more) = self.more.take() {
                more.finish_and_clear();
                self.multi.remove(&more);
            }
            return;
        }
        let more = self.more.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{msg}").expect("a constant template that the tests draw");
            self.multi.add(ProgressBar::new(0).with_style(style))
        });
        more.set_message(format!("… and {} more", self.queue.len()));
    }

    /// Prints a line above the bars.
    pub(super) fn note(&self, text: &str) {
        // If the terminal cannot be written to, nothing can be shown.
        let _ = self.multi.println(format!("-- {text}"));
    }

    /// Leaves the bars as they are.
    pub(super) fn close(&mut self) {
        for bar in self.bars.values() {
            bar.abandon();
        }
        if let Some(more) = self.more.take() {
            more.abandon();
        }
    }

    #[cfg(test)]
    fn shown(&self) -> (usize, usize) {
        (self.bars.len(), self.queue.len())
    }
}

fn draw(bar: &ProgressBar, row: &Row) {
    bar.set_position(row.percent());
    bar.set_message(row.figures());
}

/// The line of a task that has ended.
fn line(row: &Row) -> String {
    let mark = match row.state().1 {
        Standing::Done => "✔",
        _ => "✘",
    };
    format!("{mark} {}  {}", row.name(), row.figures().trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::TermLike;
    use serde_json::json;
    use std::sync::{Arc, Mutex};

    /// Keeps everything that was written.
    #[derive(Debug, Clone, Default)]
    struct FakeTerminal(Arc<Mutex<String>>);

    impl FakeTerminal {
        fn contents(&self) -> String {
            self.0.lock().expect("no test panics while writing").clone()
        }
    }

    impl TermLike for FakeTerminal {
        fn width(&self) -> u16 {
            120
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)?;
            self.write_str("\n")
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().expect("no test panics while writing").push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn row(id: usize, status: i64, progress: i64) -> Row {
        Row::of(json!({
            "taskId": format!("t{id}"), "type": 1, "shareIndex": 3, "status": status, "progress": progress,
            "name": format!("file-{id}.bin"), "size": 1 << 20, "time": id, "code": 0
        }))
    }

    fn bars(capacity: usize) -> (Bars, FakeTerminal) {
        let term = FakeTerminal::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 255);
        (Bars::with(MultiProgress::with_draw_target(target), capacity), term)
    }

    #[test]
    fn a_bar_shows_name_bytes_percent_and_state_and_the_end_stays_printed() {
        let (mut bars, term) = bars(5);
        bars.show(vec![row(1, 1, 50)], true).expect("drawn");
        for bar in bars.bars.values() {
            bar.force_draw();
        }
        let drawn = term.contents();
        assert!(drawn.contains("file-1.bin"), "{drawn}");
        assert!(drawn.contains("512 KB / 1 MB  50%  downloading"), "{drawn}");
        bars.show(vec![row(1, 4, 100)], false).expect("drawn");
        bars.close();
        let left = term.contents();
        assert!(left.contains("✔ file-1.bin  1 MB 100%  complete"), "{left}");
        assert_eq!(bars.shown(), (0, 0));
    }

    #[test]
    fn tasks_beyond_the_terminal_wait_for_a_place() {
        let (mut bars, _term) = bars(2);
        bars.show((0..5).map(|id| row(id, 1, 0)).collect(), true)
            .expect("drawn");
        assert_eq!(bars.shown(), (2, 3));
        bars.show(vec![row(0, 4, 100), row(4, 5, 0)], false).expect("drawn");
        assert_eq!(bars.shown(), (2, 1));
        bars.show((1..4).map(|id| row(id, 4, 100)).collect(), false)
            .expect("drawn");
        assert_eq!(bars.shown(), (0, 0));
    }

    #[test]
    fn a_long_history_is_counted_instead_of_printed() {
        let (mut bars, term) = bars(2);
        bars.show((0..25).map(|id| row(id, 4, 100)).collect(), true)
            .expect("drawn");
        let drawn = term.contents();
        assert!(drawn.contains("… 15 earlier transfers"), "{drawn}");
        assert!(
            !drawn.contains("file-14.bin") && drawn.contains("file-15.bin"),
            "{drawn}"
        );
    }

    #[test]
    fn a_task_that_starts_again_gets_a_bar_again() {
        let (mut bars, _term) = bars(2);
        bars.show(vec![row(1, 5, 10)], false).expect("drawn");
        assert_eq!(bars.shown(), (0, 0));
        bars.show(vec![row(1, 1, 10)], false).expect("drawn");
        assert_eq!(bars.shown(), (1, 0));
    }
}
