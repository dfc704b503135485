//! The bytes of modules in a request's body: one, or several one behind the other, and what may follow them.

use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use stowage_logic::MAX_MODULE_BYTES;
use tokio::time::timeout;

use super::parameters::Parameters;
use super::problem::Problem;
use stowage_deploy::Source;

/// Bytes of a body, all modules together: a module may have half of it.
pub(super) const MAX_BODY_BYTES: usize = 2 * MAX_MODULE_BYTES;

/// How long the next piece of a body may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest text that says where a module's bytes came from.
const MOST_FROM: usize = 4096;

/// What a body is cut into: told by the query, before the body is read.
#[derive(Debug)]
pub(super) struct Layout {
    /// Name and origin of every module.
    modules: Vec<(String, String)>,
    /// Bytes of every module; none where there is one module and nothing else.
    sizes: Option<Vec<usize>>,
    /// Bytes that follow the modules; none where nothing was said of them.
    recording: Option<usize>,
}

impl Layout {
    /// Takes `name`, `size` and `from`, each once a module, and `recording` where it may be.
    pub(super) fn take(parameters: &mut Parameters, with_recording: bool) -> Result<Layout, Problem> {
        const SIZE: &str = "a whole number of bytes";
        let names = parameters.all("name");
        if names.is_empty() || names.iter().any(String::is_empty) {
            return Err(Problem::parameter("name", "the name of a module"));
        }
        if names.iter().enumerate().any(|(i, name)| names[..i].contains(name)) {
            return Err(Problem::parameter("name", "each module once"));
        }
        let mut from = parameters.all("from");
        if from.is_empty() {
            from = vec!["upload".to_owned(); names.len()];
        }
        if from.len() != names.len() || from.iter().any(|text| text.is_empty() || text.len() > MOST_FROM) {
            return Err(Problem::parameter("from", "one for each name, at most 4096 bytes"));
        }
        let recording = if with_recording {
            parameters.one::<usize>("recording", SIZE)?
        } else {
            None
        };
        let sizes: Vec<usize> = parameters
            .all("size")
            .iter()
            .map(|text| text.parse().map_err(|_| Problem::parameter("size", SIZE)))
            .collect::<Result<_, _>>()?;
        let sizes = if sizes.is_empty() && names.len() == 1 && recording.is_none() {
            None
        } else if sizes.len() == names.len() {
            Some(sizes)
        } else {
            return Err(Problem::parameter("size", "one for each name"));
        };
        Ok(Layout {
            modules: names.into_iter().zip(from).collect(),
            sizes,
            recording,
        })
    }

    /// Refuses anything but one module.
    pub(super) fn single(self) -> Result<Layout, Problem> {
        match self.modules.len() {
            1 => Ok(self),
            _ => Err(Problem::parameter("name", "one module")),
        }
    }

    /// Cuts a body: the modules, and what follows them.
    pub(super) fn cut(self, mut body: Vec<u8>) -> Result<(Vec<Source>, Option<Vec<u8>>), Problem> {
        let sizes = self.sizes.unwrap_or_else(|| vec![body.len()]);
        let whole = sizes
            .iter()
            .try_fold(self.recording.unwrap_or(0), |sum, size| sum.checked_add(*size));
        if whole != Some(body.len()) {
            return Err(Problem::parameter(
                "size",
                &format!("sizes that add up to the body's {} bytes", body.len()),
            ));
        }
        // From the back, so that each byte is copied at most once.
        let recording = self.recording.map(|size| body.split_off(body.len() - size));
        let mut sources = Vec::with_capacity(sizes.len());
        for ((name, from), size) in self.modules.into_iter().zip(sizes).rev() {
            if size > MAX_MODULE_BYTES {
                return Err(too_large(&name));
            }
            let bytes = body.split_off(body.len() - size);
            sources.push(Source { name, bytes, from });
        }
        sources.reverse();
        Ok((sources, recording))
    }
}

fn too_large(name: &str) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("{name}: expected at most {} MiB", MAX_MODULE_BYTES >> 20),
    )
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn read(mut body: Incoming, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    loop {
        let frame = timeout(PATIENCE, body.frame())
            .await
            .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "body: it did not arrive in time"))?;
        let Some(frame) = frame else {
            return Ok(bytes);
        };
        let frame = frame.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "body: it ended early"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.len() > limit - bytes.len() {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("body: expected at most {limit} bytes"),
            ));
        }
        bytes.extend_from_slice(&data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(query: &str, with_recording: bool) -> Result<Layout, Problem> {
        let mut parameters = Parameters::of_query(query)?;
        let layout = Layout::take(&mut parameters, with_recording)?;
        parameters.end().map(|()| layout)
    }

    type Cut = (Vec<(String, String)>, Option<String>);

    fn cut(query: &str, body: &str) -> Result<Cut, Problem> {
        let (sources, rest) = layout(query, true)?.cut(body.as_bytes().to_vec())?;
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let sources = sources.into_iter().map(|s| (s.name, text(s.bytes))).collect();
        Ok((sources, rest.map(text)))
    }

    #[test]
    fn modules_lie_one_behind_the_other() {
        let named = |name: &str, bytes: &str| (name.to_owned(), bytes.to_owned());
        assert_eq!(cut("name=a", "xyz").expect("whole"), (vec![named("a", "xyz")], None));
        assert_eq!(
            cut("name=a&size=3&recording=0", "xyz").expect("whole"),
            (vec![named("a", "xyz")], Some(String::new())),
            "an empty recording is one, and not a check without"
        );
        assert_eq!(
            cut("name=a&size=2&name=b&size=0&name=c&size=1&recording=3", "aacrrr").expect("whole"),
            (
                vec![named("a", "aa"), named("b", ""), named("c", "c")],
                Some("rrr".to_owned())
            )
        );
        let (sources, _) = layout("name=a&from=/x/a.wasm", false)
            .expect("valid")
            .cut(vec![1])
            .expect("whole");
        assert_eq!(sources[0].from, "/x/a.wasm");
    }

    #[test]
    fn sizes_that_do_not_fit_the_body_are_refused() {
        for (query, body) in [
            ("", "x"),
            ("name=", "x"),
            ("name=a&name=a&size=1&size=1", "xx"),
            ("name=a&name=b", "xx"),
            ("name=a&name=b&size=1", "xx"),
            ("name=a&size=1", "xx"),
            ("name=a&size=3", "xx"),
            ("name=a&size=-1", "xx"),
            ("name=a&recording=1", "xx"),
            ("name=a&size=1&recording=2", "xx"),
            ("name=a&size=18446744073709551615&name=b&size=3", "xx"),
            ("name=a&from=x&from=y", "xx"),
        ] {
            let problem = cut(query, body).expect_err(query);
            assert_eq!(problem.status, StatusCode::BAD_REQUEST, "{query}");
        }
        assert!(
            layout("name=a&size=1&recording=1", false).is_err(),
            "no recording is taken here"
        );
        assert!(
            layout("name=a&size=1&name=b&size=1", false)
                .and_then(Layout::single)
                .is_err()
        );
        let large = layout("name=a", false)
            .expect("valid")
            .cut(vec![0; MAX_MODULE_BYTES + 1]);
        assert_eq!(large.expect_err("too large").status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
