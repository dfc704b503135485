//! Properties of requests for bytes, which fuzzers check: [`crate::fuzz`] has the targets.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http_body_util::Full;
use stowage_storage::fuzz::Choices;

use super::disposition::{content_type, disposition};
use super::fields::{FileFields, platform_of_query};
use super::form::Form;
use super::password::{FILE_PASSWORD, password_of};
use super::problem::Problem;
use super::range::{Wanted, wanted};
use super::request_body::RequestBody;
use super::route::{Route, is_files};
use super::tus_headers::{MOST_BYTES, check_type, check_version, checksum, defers_length, length, metadata, number};

/// What a client says about a file: the first byte chooses where it says it, the other bytes are
/// what it says.
pub(crate) fn request(data: &[u8]) {
    let mut choices = Choices::new(data);
    let part = choices.byte() % 6;
    let rest = choices.rest();
    let text = String::from_utf8_lossy(rest);
    match part {
        0 => fields(&text),
        1 => json(rest),
        2 => form(rest),
        3 => tus(&text),
        4 => name(&text),
        _ => path_and_range(&text),
    }
}

/// The reason of a refusal is told, with the code of a wrong parameter.
fn check_problem(problem: &Problem) {
    assert!(!problem.message.is_empty());
    assert!(problem.status.is_client_error(), "{}", problem.message);
    assert!([600, 700].contains(&problem.code), "{}", problem.message);
}

fn check_fields(fields: &FileFields) {
    assert!(fields.platform <= 4);
    assert!(fields.fields.len() <= 64);
    let mut names: Vec<_> = fields.fields.iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), fields.fields.len(), "no field comes twice");
    let reserved = |name: &&String| ["platform", "name", "filePassword"].contains(&name.as_str());
    assert!(!names.iter().any(reserved));
}

fn fields(text: &str) {
    for read in [FileFields::of_query(text), FileFields::of_metadata(text)] {
        match read {
            Ok(fields) => {
                assert!(!fields.name.is_empty());
                check_fields(&fields);
            }
            Err(problem) => check_problem(&problem),
        }
    }
    match platform_of_query(text) {
        Ok(platform) => assert!(platform.is_none_or(|platform| platform <= 4)),
        Err(problem) => check_problem(&problem),
    }
}

fn json(bytes: &[u8]) {
    match FileFields::of_json(bytes) {
        Ok((fields, password)) => {
            check_fields(&fields);
            assert!(password.is_none_or(|password| !password.is_empty()));
        }
        Err(problem) => check_problem(&problem),
    }
}

/// A line with the content type, then the body.
fn form(bytes: &[u8]) {
    let (content_type, body) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[][..]),
    };
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    let len = body.len();
    let body = RequestBody::new(Full::new(Bytes::copy_from_slice(body)), Duration::from_secs(60));
    crate::server::fuzz::block_on(async {
        if let Err(problem) = read_form(&headers, body, len).await {
            check_problem(&problem);
        }
    });
}

async fn read_form(headers: &HeaderMap, mut body: RequestBody, len: usize) -> Result<(), Problem> {
    let mut form = Form::begin(headers, &mut body)?;
    let json = form.fields().await?;
    let mut file = form.file().await?;
    assert!(file.name().len() <= 3 * len);
    let mut received = json.len();
    while let Some(bytes) = file.next().await? {
        received += bytes.len();
    }
    assert!(received <= len, "a form has no more bytes than its body");
    drop(file);
    form.end().await
}

/// Lines of headers, as a client of tus sends them.
fn tus(text: &str) {
    let mut headers = HeaderMap::new();
    for line in text.lines().take(64) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.trim()), HeaderValue::from_str(value.trim())) {
            headers.append(name, value);
        }
    }
    let problems = [
        check_version(&headers).err(),
        check_type(&headers).err(),
        number(&headers, "upload-offset").err(),
        defers_length(&headers).err(),
        checksum(&headers).err(),
        password_of(&headers).err(),
    ];
    problems.iter().flatten().for_each(check_problem);
    match length(&headers) {
        Ok(length) => assert!(length.is_none_or(|length| length <= MOST_BYTES)),
        Err(problem) => check_problem(&problem),
    }
    match metadata(&headers) {
        Ok(metadata) => {
            assert!(metadata.len() <= 8 << 10);
            fields(&metadata);
        }
        Err(problem) => check_problem(&problem),
    }
}

/// The name of a file, in the headers of the response that sends it.
fn name(text: &str) {
    let value = disposition(text);
    let header = value.to_str().expect("a header is ASCII");
    let is_quoted_once = header.matches('"').count() == 2;
    assert!(
        header.starts_with("attachment") && (is_quoted_once || header == "attachment"),
        "{header}"
    );
    assert!(!header.contains(['/', '\\', '\r', '\n']), "{header}");
    let kind = content_type(text);
    let kind = kind.to_str().expect("a header is ASCII");
    let executed = ["html", "svg", "javascript", "xml", "xsl", "shockwave"];
    assert!(
        !executed.iter().any(|kind_of_page| kind.contains(kind_of_page)),
        "{kind}"
    );
    if let Ok(value) = HeaderValue::from_str(text) {
        let headers = HeaderMap::from_iter([(FILE_PASSWORD, value)]);
        match password_of(&headers) {
            Ok(password) => assert!(password.is_none_or(|password| !password.expose().is_empty())),
            Err(problem) => check_problem(&problem),
        }
    }
}

/// A path, and the range of a file of as many bytes as the text.
fn path_and_range(text: &str) {
    // Other paths go elsewhere.
    if is_files(text)
        && let Route::Upload(one) | Route::File(one) = Route::of(text)
    {
        assert!(!one.contains('/'), "{one:?}");
    }
    let size = text.len() as u64;
    if let Wanted::Part(range) = wanted(text, size) {
        assert!(range.start < range.end && range.end <= size, "{text:?}");
    }
}
