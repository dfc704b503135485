//! The fields of a file that a client sends over HTTP.

use stowage_sdk::Error;
use stowage_sdk::bindings::cloud::Scalar;

use crate::bindings::files_hook::Field;
use crate::fields::Fields;

/// The fields of a row from the fields of a request. Numbers may be texts. Unknown fields are
/// ignored, as in the other methods.
///
/// # Errors
/// 600 naming a field that is not what its row needs.
pub fn fields(name: &str, sent: Vec<Field>) -> Result<Fields, Error> {
    let mut fields = Fields {
        name: Some(name.to_owned()).filter(|name| !name.is_empty()),
        ..Fields::default()
    };
    for Field { name, value } in sent {
        let text = match value {
            Scalar::Text(text) => text,
            Scalar::Integer(number) => number.to_string(),
            Scalar::Boolean(value) => value.to_string(),
        };
        match name.as_str() {
            "unique" => fields.unique = Some(text),
            "parent" => fields.parent = Some(text),
            "favId" => fields.fav_id = Some(text),
            "storagePath" => fields.storage_path = Some(text),
            "msgId" => fields.msg_id = Some(text),
            "msgContent" => fields.msg_content = Some(text),
            "msgType" => fields.msg_type = Some(number(&name, &text)?),
            "nodeAddress" => fields.node_address = Some(text),
            "originNickname" => fields.origin_nickname = Some(text),
            "nodeId" => fields.node_id = Some(text),
            "type" => fields.r#type = Some(number(&name, &text)?),
            "messageNum" => fields.message_num = Some(number(&name, &text)?),
            "nickname" => fields.nickname = Some(text),
            "domainName" => fields.domain_name = Some(text),
            "thumb" => fields.thumb = Some(text),
            "ext" => fields.ext = Some(text),
            "time" => fields.time = Some(number(&name, &text)?),
            _ => {}
        }
    }
    Ok(fields)
}

fn number<N: std::str::FromStr>(field: &str, text: &str) -> Result<N, Error> {
    text.trim()
        .parse()
        .map_err(|_| Error::parameter(field, "a whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: Scalar) -> Field {
        Field {
            name: name.to_owned(),
            value,
        }
    }

    #[test]
    fn a_number_may_be_a_text_and_an_unknown_field_is_ignored() {
        let sent = vec![
            field("time", Scalar::Text("1744104587".to_owned())),
            field("msgType", Scalar::Integer(3)),
            field("msgId", Scalar::Integer(7)),
            field("platform", Scalar::Integer(2)),
        ];
        let fields = fields("a.txt", sent).expect("right");
        assert_eq!(
            fields,
            Fields {
                name: Some("a.txt".to_owned()),
                time: Some(1_744_104_587),
                msg_type: Some(3),
                msg_id: Some("7".to_owned()),
                ..Fields::default()
            }
        );
    }

    #[test]
    fn a_text_in_place_of_a_number_is_named() {
        let error = fields("", vec![field("messageNum", Scalar::Text("-1".to_owned()))]).expect_err("refused");
        assert_eq!((error.code, error.message.split(':').next()), (600, Some("messageNum")));
    }
}
