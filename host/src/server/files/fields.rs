//! What a client says about a file: from a query, a JSON object, or the metadata of tus.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::problem::Problem;

/// The most fields of a file.
const MOST_FIELDS: usize = 64;
/// The name of the password in the JSON part of a form.
const PASSWORD: &str = "filePassword";

/// What a client says about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileFields {
    /// 0 to 4.
    pub(crate) platform: u8,
    /// The name of the file. It may be empty in a form, whose file part may have one.
    pub(crate) name: String,
    /// The fields of its row.
    pub(crate) fields: Vec<(String, Scalar)>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
}

impl FileFields {
    /// The fields of a query.
    pub(super) fn of_query(query: &str) -> Result<FileFields, Problem> {
        let pairs = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), Scalar::Text(value.into_owned())));
        FileFields::of(pairs.collect(), "in the query, because URLs are logged").and_then(FileFields::named)
    }

    /// The fields of an `Upload-Metadata` header: keys, each followed by a value in base64.
    /// `filename` counts as `name`, because many clients send that.
    pub(super) fn of_metadata(metadata: &str) -> Result<FileFields, Problem> {
        let mut pairs = Vec::new();
        for pair in metadata.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let value = STANDARD.decode(value.trim()).ok();
            let Some(value) = value.and_then(|bytes| String::from_utf8(bytes).ok()) else {
                return Err(Problem::parameter(format!(
                    "Upload-Metadata: {name}: expected the base64 of a text in UTF-8"
                )));
            };
            pairs.push((name.to_owned(), Scalar::Text(value)));
        }
        let has_name = pairs.iter().any(|(name, _)| name == "name");
        pairs.retain(|(name, _)| name != "filetype" && (name != "filename" || !has_name));
        for (name, _) in &mut pairs {
            if name == "filename" {
                "name".clone_into(name);
            }
        }
        FileFields::of(pairs, "in the metadata, because it is stored").and_then(FileFields::named)
    }

    /// The fields of a JSON object, and the password in it.
    pub(super) fn of_json(json: &[u8]) -> Result<(FileFields, Option<String>), Problem> {
        let mut object: Map<String, Value> = serde_json::from_slice(json)
            .map_err(|error| Problem::parameter(format!("the first part: expected a JSON object ({error})")))?;
        let password = match object.remove(PASSWORD) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            Some(_) => {
                return Err(Problem::parameter(format!(
                    "{PASSWORD}: expected a text that is not empty"
                )));
            }
        };
        let mut pairs = Vec::new();
        for (name, value) in object {
            let value = match value {
                Value::Null => continue,
                Value::String(text) => Scalar::Text(text),
                Value::Bool(flag) => Scalar::Boolean(flag),
                Value::Number(number) if number.as_i64().is_some() => {
                    Scalar::Integer(number.as_i64().unwrap_or_default())
                }
                _ => {
                    return Err(Problem::parameter(format!(
                        "{name}: expected a text, a whole number, true or false"
                    )));
                }
            };
            pairs.push((name, value));
        }
        Ok((FileFields::of(pairs, "")?, password))
    }

    /// Refuses an empty name.
    pub(super) fn named(self) -> Result<FileFields, Problem> {
        if self.name.is_empty() {
            return Err(Problem::parameter("name: expected the name of the file".to_owned()));
        }
        Ok(self)
    }

    fn of(pairs: Vec<(String, Scalar)>, no_password: &str) -> Result<FileFields, Problem> {
        let (mut platform, mut name) = (None, String::new());
        let mut fields: Vec<(String, Scalar)> = Vec::new();
        for (key, value) in pairs {
            match (key.as_str(), value) {
                (PASSWORD, _) => {
                    return Err(Problem::parameter(format!(
                        "{PASSWORD}: expected not {no_password}; send it in the header Stowage-File-Password"
                    )));
                }
                ("platform", value) if platform.is_none() => platform = Some(platform_of(&value)?),
                ("name", Scalar::Text(text)) if name.is_empty() => name = text,
                (_, value) if key != "platform" && key != "name" && !fields.iter().any(|(known, _)| *known == key) => {
                    fields.push((key, value));
                }
                _ => return Err(Problem::parameter(format!("{key}: expected one text"))),
            }
        }
        if fields.len() > MOST_FIELDS {
            return Err(Problem::parameter(format!("expected at most {MOST_FIELDS} fields")));
        }
        let platform = platform.ok_or_else(|| Problem::parameter(PLATFORM.to_owned()))?;
        Ok(FileFields { platform, name, fields })
    }
}

const PLATFORM: &str = "platform: expected 0 (message backups), 1 (temp files), 2 (IM favourites), \
                        3 (cloud storage) or 4 (DAPP)";

fn platform_of(value: &Scalar) -> Result<u8, Problem> {
    let number = match value {
        Scalar::Text(text) => text.parse().ok(),
        Scalar::Integer(number) => u8::try_from(*number).ok(),
        Scalar::Boolean(_) => None,
    };
    number
        .filter(|number| *number <= 4)
        .ok_or_else(|| Problem::parameter(PLATFORM.to_owned()))
}

/// The platform of a query that may have no other parameter.
pub(super) fn platform_of_query(query: &str) -> Result<Option<u8>, Problem> {
    let mut platform = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if name != "platform" || platform.is_some() {
            return Err(Problem::parameter(format!(
                "{name}: expected no parameter but platform, once"
            )));
        }
        platform = Some(platform_of(&Scalar::Text(value.into_owned()))?);
    }
    Ok(platform)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, value: &str) -> (String, Scalar) {
        (name.to_owned(), Scalar::Text(value.to_owned()))
    }

    #[test]
    fn a_query_has_platform_name_and_fields() {
        let fields = FileFields::of_query("platform=3&name=%E7%85%A7+a.jpg&storagePath=x%2Fy&time=").unwrap();
        assert_eq!(
            fields,
            FileFields {
                platform: 3,
                name: "照 a.jpg".into(),
                fields: vec![text("storagePath", "x/y"), text("time", "")],
            }
        );
        for query in [
            "",
            "platform=3",
            "name=a",
            "platform=5&name=a",
            "platform=-1&name=a",
            "platform=&name=a",
            "platform=3&platform=3&name=a",
            "platform=3&name=a&name=b",
            "platform=3&name=",
            "platform=3&name=a&x=1&x=2",
        ] {
            assert!(FileFields::of_query(query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_password_in_a_url_or_in_metadata_is_refused_and_the_message_says_where_it_goes() {
        let problem = FileFields::of_query("platform=3&name=a&filePassword=secret").unwrap_err();
        assert!(problem.message.contains("Stowage-File-Password"), "{}", problem.message);
        assert!(!problem.message.contains("secret"));
        assert!(FileFields::of_metadata("platform Mw==,name YQ==,filePassword c2VjcmV0").is_err());
    }

    #[test]
    fn json_keeps_the_types_and_may_have_the_password() {
        let (fields, password) = FileFields::of_json(
            r#"{"platform": "2", "name": "a", "time": 5, "isCrypt": true, "msgId": null, "filePassword": "我"}"#
                .as_bytes(),
        )
        .unwrap();
        assert_eq!((fields.platform, password.as_deref()), (2, Some("我")));
        assert!(fields.fields.contains(&("time".to_owned(), Scalar::Integer(5))));
        assert!(fields.fields.contains(&("isCrypt".to_owned(), Scalar::Boolean(true))));
        assert_eq!(fields.fields.len(), 2);
        for json in [
            "",
            "[]",
            r#"{"platform": 3, "x": 1.5}"#,
            r#"{"platform": 3, "x": {}}"#,
            r#"{"platform": 300}"#,
            r#"{"platform": 3, "filePassword": ""}"#,
            r#"{"platform": 3, "name": 7}"#,
        ] {
            assert!(FileFields::of_json(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn metadata_is_base64() {
        let fields = FileFields::of_metadata("filename 5oiRLnR4dA==,platform Mw==,filetype dGV4dA==,empty").unwrap();
        assert_eq!(
            fields,
            FileFields {
                platform: 3,
                name: "我.txt".into(),
                fields: vec![text("empty", "")],
            }
        );
        let fields = FileFields::of_metadata("filename YQ==,name Yg==,platform Mw==").unwrap();
        assert_eq!((fields.name.as_str(), fields.fields.len()), ("b", 0));
        for metadata in ["platform Mw==,name ***", "platform Mw==,name /w==", "name YQ=="] {
            assert!(FileFields::of_metadata(metadata).is_err(), "{metadata}");
        }
    }

    #[test]
    fn a_download_may_name_a_platform_only() {
        assert_eq!(platform_of_query("").unwrap(), None);
        assert_eq!(platform_of_query("platform=0").unwrap(), Some(0));
        for query in ["platform=9", "platform=1&platform=1", "x=1"] {
            assert!(platform_of_query(query).is_err(), "{query}");
        }
    }
}
