//! Many calls on one connection, sent without waiting for answers.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How many.
const PIPELINED: usize = 48;

/// Calls of one connection that were sent without waiting for answers.
#[derive(Debug, Default)]
pub(super) struct Pipelined {
    names: Vec<String>,
    /// How many were answered.
    pub(super) answered: usize,
}

impl Pipelined {
    /// What is there is a prefix, and it has all that were answered. Returns how many more it has.
    pub(super) fn compare(&self, found: &[String], cycle: u64) -> u64 {
        let found: BTreeSet<&String> = found.iter().collect();
        let there: Vec<bool> = self.names.iter().map(|name| found.contains(name)).collect();
        let prefix = there.iter().take_while(|is_there| **is_there).count();
        let all = there.iter().filter(|is_there| **is_there).count();
        assert_eq!(prefix, all, "after cycle {cycle}, survivors are no prefix: {there:?}");
        assert_eq!(all, found.len(), "after cycle {cycle}, ghosts are in {found:?}");
        assert!(
            self.answered <= prefix,
            "after cycle {cycle}, {} were acknowledged, and {prefix} are there",
            self.answered
        );
        (prefix - self.answered) as u64
    }
}

/// Sends calls on one connection at once, and reads answers until it breaks.
pub(super) async fn pipeline(address: SocketAddr, cycle: u64) -> Pipelined {
    let names: Vec<String> = (0..PIPELINED).map(|n| format!("pipelined {cycle} {n}")).collect();
    let mut requests = String::new();
    for name in &names {
        let body = json!({ "name": name }).to_string();
        requests.push_str(&format!(
            "POST /createImFavoriteFolder HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        ));
    }
    let mut answers = Vec::new();
    let _: Result<(), std::io::Error> = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(requests.as_bytes()).await?;
        let mut piece = [0; 4096];
        loop {
            let len = stream.read(&mut piece).await?;
            answers.extend_from_slice(&piece[..len]);
            if len == 0 || count_answers(&answers) == PIPELINED {
                return Ok(());
            }
        }
    }
    .await;
    Pipelined {
        answered: count_answers(&answers),
        names,
    }
}

fn count_answers(bytes: &[u8]) -> usize {
    memchr::memmem::find_iter(bytes, br#"{"code":200,"message":null,"data":true}"#).count()
}
