//! `stowage watch`: shows the progress of transfers.

mod bars;
mod direction;
mod feed;
mod lines;
mod row;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use uuid::Uuid;

use self::bars::Bars;
use self::direction::Direction;
use self::feed::{Feed, FeedError, Topic};
use self::lines::Lines;
use self::row::{Row, Seen};
use super::API_ERROR;
use super::locate::ClientArgs;
use super::reply::ClientError;

/// The pause before the first reconnection. It doubles up to [`MAX_BACKOFF`].
const MIN_BACKOFF: Duration = Duration::from_millis(250);

/// The longest pause before a reconnection.
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// The highest platform of the feed.
const MAX_PLATFORM: u8 = 4;

/// Show the progress of transfers
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage watch\n  stowage watch --direction download --platform 3 --json")]
pub struct WatchArgs {
    /// Which server
    #[command(flatten)]
    pub client: ClientArgs,
    /// Only transfers of one direction
    #[arg(long, value_enum)]
    pub direction: Option<Direction>,
    /// Only transfers of one platform: 0 message backups, 1 temp files, 2 IM favourites, 3 cloud
    /// storage, 4 DAPP
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=i64::from(MAX_PLATFORM)))]
    pub platform: Option<u8>,
    /// One JSON line per change, also on a terminal
    #[arg(long)]
    pub json: bool,
}

/// Why the watch ends before Ctrl-C.
enum Ended {
    /// Stdout is closed.
    OutputClosed,
    /// The subscription was answered with an error code.
    Answered { code: i64, message: String },
}

impl WatchArgs {
    /// Shows transfers until Ctrl-C.
    ///
    /// # Errors
    /// No server answered at first, or it refuses every request.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut view = if self.json || !std::io::stdout().is_terminal() {
            View::Lines(Lines)
        } else {
            View::Bars(Box::new(Bars::new()))
        };
        let ended = tokio::select! {
            ended = self.follow(&mut view) => ended,
            interrupted = tokio::signal::ctrl_c() => interrupted.map_err(anyhow::Error::from).map(|()| Ended::OutputClosed),
        };
        view.close();
        match ended? {
            Ended::OutputClosed => Ok(ExitCode::SUCCESS),
            Ended::Answered { code, message } => {
                eprintln!("the server answered code {code}: {message}");
                Ok(ExitCode::from(API_ERROR))
            }
        }
    }

    /// The topics to subscribe, each with a random key.
    fn topics(&self) -> Vec<Topic> {
        let directions = match self.direction {
            Some(direction) => vec![direction],
            None => vec![Direction::Upload, Direction::Download],
        };
        let platforms = match self.platform {
            Some(platform) => platform..=platform,
            None => 0..=MAX_PLATFORM,
        };
        directions
            .into_iter()
            .flat_map(|direction| platforms.clone().map(move |platform| (direction, platform)))
            .map(|(direction, platform)| Topic {
                direction,
                platform,
                key: Uuid::new_v4().simple().to_string(),
            })
            .collect()
    }

    /// Reads the feed, and reconnects as long as that can help. Only a failure of the first
    /// connection is an error.
    async fn follow(&self, view: &mut View) -> anyhow::Result<Ended> {
        let topics = self.topics();
        let mut seen = Seen::default();
        let mut backoff = MIN_BACKOFF;
        let mut was_connected = false;
        loop {
            // The address is read again each time: a restarted server may have another one.
            let opened = match self.client.client() {
                Ok(client) => Feed::open(&client, &topics).await,
                Err(error) => Err(error.into()),
            };
            let lost = match opened {
                Ok(mut feed) => {
                    if was_connected {
                        view.note("connected again");
                    }
                    was_connected = true;
                    match show(&mut feed, &mut seen, view, &mut backoff).await {
                        Ok(ended) => return Ok(ended),
                        Err(lost) => lost,
                    }
                }
                Err(error) => {
                    let is_final = !was_connected || matches!(&error, FeedError::Client(e) if e.is_permanent());
                    match error {
                        FeedError::Answered { code, message } if is_final => {
                            return Ok(Ended::Answered { code, message });
                        }
                        error if is_final => return Err(error.into()),
                        error => error,
                    }
                }
            };
            view.note(&format!("{lost}; trying again"));
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }
}

/// Shows rows until the connection is lost (`Err`) or stdout is closed.
async fn show(feed: &mut Feed, seen: &mut Seen, view: &mut View, backoff: &mut Duration) -> Result<Ended, FeedError> {
    loop {
        let frame = feed.next().await?;
        *backoff = MIN_BACKOFF;
        let rows: Vec<Row> = frame.rows.into_iter().filter(|row| seen.is_news(row)).collect();
        let goes_on = view.show(rows, frame.is_snapshot).map_err(FeedError::Output)?;
        if !goes_on {
            return Ok(Ended::OutputClosed);
        }
    }
}

/// The output of the rows.
enum View {
    Lines(Lines),
    Bars(Box<Bars>),
}

impl View {
    /// Shows rows that have changed. Returns `false` if stdout is closed.
    fn show(&mut self, rows: Vec<Row>, is_snapshot: bool) -> std::io::Result<bool> {
        match self {
            Self::Lines(lines) => lines.show(&rows),
            Self::Bars(bars) => bars.show(rows, is_snapshot).map(|()| true),
        }
    }

    /// Prints a line about the connection.
    fn note(&self, text: &str) {
        match self {
            Self::Lines(_) => eprintln!("{text}"),
            Self::Bars(bars) => bars.note(text),
        }
    }

    fn close(&mut self) {
        match self {
            Self::Lines(_) => {}
            Self::Bars(bars) => bars.close(),
        }
    }
}

impl From<ClientError> for FeedError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::collections::HashSet;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        watch: WatchArgs,
    }

    fn parsed(arguments: &[&str]) -> Result<WatchArgs, clap::Error> {
        Program::try_parse_from([&["watch"], arguments].concat()).map(|program| program.watch)
    }

    #[test]
    fn everything_is_followed_unless_something_is_named() {
        let topics = parsed(&[]).expect("valid arguments").topics();
        let subjects: HashSet<_> = topics.iter().map(|topic| (topic.direction, topic.platform)).collect();
        let keys: HashSet<_> = topics.iter().map(|topic| topic.key.clone()).collect();
        assert_eq!((topics.len(), subjects.len(), keys.len()), (10, 10, 10));
    }

    #[test]
    fn one_direction_and_platform_is_one_topic() {
        let topics = parsed(&["--direction", "upload", "--platform", "3"])
            .expect("valid arguments")
            .topics();
        assert_eq!(topics.len(), 1);
        assert_eq!((topics[0].direction, topics[0].platform), (Direction::Upload, 3));
    }

    #[test]
    fn unknown_directions_and_platforms_are_usage_errors() {
        assert!(parsed(&["--direction", "sideways"]).is_err());
        assert!(parsed(&["--platform", "5"]).is_err());
    }
}
