//! The response to every request: `{"code": …, "message": …, "data": …}`.

use bytes::Bytes;

use crate::api::code;

/// A code of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub i32);

impl Code {
    /// Success.
    pub const SUCCESS: Code = Code(code::SUCCESS);
    /// No such module or method.
    pub const NOT_IMPLEMENTED: Code = Code(code::NOT_IMPLEMENTED);
    /// A trap, a deadline, or storage or the cloud cannot be reached.
    pub const FAILURE: Code = Code(code::FAILURE);
    /// A parameter is not what was expected.
    pub const PARAMETER: Code = Code(code::PARAMETER);
    /// Anything else, the transport's own refusals included.
    pub const OTHER: Code = Code(code::OTHER);
}

/// A response, as JSON text.
#[derive(Clone, Debug)]
pub struct Envelope {
    code: Code,
    json: Bytes,
}

impl Envelope {
    /// Code 200 with this data. The data must be JSON.
    pub fn success(data: &[u8]) -> Envelope {
        let json = [&br#"{"code":200,"message":null,"data":"#[..], data, b"}"].concat();
        Envelope {
            code: Code::SUCCESS,
            json: json.into(),
        }
    }

    /// A success that was cached.
    pub(crate) fn cached(json: Bytes) -> Envelope {
        Envelope {
            code: Code::SUCCESS,
            json,
        }
    }

    /// A failure without data.
    pub fn failure(code: Code, message: &str) -> Envelope {
        let mut json = Vec::with_capacity(64 + message.len());
        json.extend_from_slice(br#"{"code":"#);
        // Writing numbers and strings to a Vec cannot fail.
        let _ = serde_json::to_writer(&mut json, &code.0);
        json.extend_from_slice(br#","message":"#);
        let _ = serde_json::to_writer(&mut json, message);
        json.extend_from_slice(br#","data":null}"#);
        Envelope {
            code,
            json: json.into(),
        }
    }

    /// The code.
    pub fn code(&self) -> i32 {
        self.code.0
    }

    /// The JSON text.
    pub fn into_json(self) -> Bytes {
        self.json
    }
}
