//! The AsyncAPI description of the progress feed.

use stowage_logic::Generation;

use crate::api::Api;
use crate::json::Json;
use crate::method::Method;
use crate::openapi::{DEFAULT_ADDRESS, info};
use crate::schema::{object, of_type};

/// The version of AsyncAPI.
const VERSION: &str = "3.0.0";
/// The operation whose call subscribes a key.
const SUBSCRIBE: &str = "getAllDownloadOrUploadFileProgress";
/// The function that lists the rows of the feed, where a module serves it.
const LIST: &str = "stowage:transfer-api/tasks#list-tasks";
/// The schema of a row, if no module describes it.
const ROW: &str = "TaskRow";

/// What the feed is.
const INTRODUCTION: &str = "\
The state of transfers, as it changes. A client chooses a key, subscribes it with a call of \
`getAllDownloadOrUploadFileProgress`, and reads the frames of the key on a websocket. The first frame \
of a key is a snapshot: all tasks that match. Later frames have the tasks that changed, each in its \
latest state, at most ten frames a second. A task that does not match any more comes once with its \
new state.";

/// Describes the websocket of a generation.
pub fn asyncapi(generation: &Generation) -> Json {
    let api = Api::of(generation, &[]);
    let subscribe = api.methods.iter().find(|method| method.operation == SUBSCRIBE);
    let list = api.methods.iter().find(|method| method.function == LIST);
    let mut schemas = Json::Object(Vec::new());
    let row = match list.and_then(|list| list.data.get("items")) {
        Some(row) => row.clone(),
        None => {
            schemas.set(ROW, plain_row());
            Json::reference("schemas", ROW)
        }
    };
    add_used(&row, &api, &mut schemas);
    let frame_name = free_name("Frame", &schemas);
    schemas.set(&frame_name, frame(row));
    let mut subscription_name = String::new();
    if let Some(method) = subscribe {
        add_used(&method.request, &api, &mut schemas);
        subscription_name = free_name("Subscription", &schemas);
        schemas.set(&subscription_name, method.request.clone());
    }
    let message = |name: &str, title: &str, schema: &str| {
        Json::object([
            ("name", name.into()),
            ("title", title.into()),
            ("contentType", "application/json".into()),
            ("payload", Json::reference("schemas", schema)),
        ])
    };
    let mut messages = Json::object([("frame", message("frame", "The tasks of a key", &frame_name))]);
    let mut channels = Json::object([("feed", feed_channel())]);
    let mut operations = Json::object([(
        "receiveFrames",
        Json::object([
            ("action", "receive".into()),
            ("channel", reference("channels/feed")),
            ("title", "Read the frames of the keys".into()),
            ("messages", vec![reference("channels/feed/messages/frame")].into()),
        ]),
    )]);
    if let Some(method) = subscribe {
        messages.set(
            "subscription",
            message("subscription", "Subscribe a key", &subscription_name),
        );
        channels.set("subscribe", subscribe_channel(method));
        let mut operation = Json::object([
            ("action", "send".into()),
            ("channel", reference("channels/subscribe")),
            ("title", "Subscribe a key".into()),
            ("description", method.comment.text.as_str().into()),
            (
                "messages",
                vec![reference("channels/subscribe/messages/subscription")].into(),
            ),
        ]);
        operation.set(
            "bindings",
            Json::object([(
                "http",
                Json::object([("method", "POST".into()), ("bindingVersion", "0.3.0".into())]),
            )]),
        );
        operations.set("subscribe", operation);
    }
    Json::object([
        ("asyncapi", VERSION.into()),
        ("info", info("Stowage progress feed", INTRODUCTION)),
        ("defaultContentType", "application/json".into()),
        ("servers", servers(subscribe.is_some())),
        ("channels", channels),
        ("operations", operations),
        (
            "components",
            Json::object([
                ("schemas", schemas),
                ("messages", messages),
                ("securitySchemes", security_schemes()),
            ]),
        ),
    ])
}

fn reference(path: &str) -> Json {
    Json::object([("$ref", format!("#/{path}").into())])
}

fn servers(has_subscription: bool) -> Json {
    let server = |protocol: &str, description: &str| {
        let schemes = ["bearer", "bearerProtocol"].map(|name| reference(&format!("components/securitySchemes/{name}")));
        Json::object([
            ("host", DEFAULT_ADDRESS.into()),
            ("protocol", protocol.into()),
            ("description", description.into()),
            ("security", schemes.to_vec().into()),
        ])
    };
    let mut servers = Json::object([(
        "websocket",
        server("ws", "The default address. Without `--token` it asks for no token."),
    )]);
    if has_subscription {
        servers.set(
            "http",
            server("http", "The same server, for the call that subscribes a key."),
        );
    }
    servers
}

fn feed_channel() -> Json {
    let mut key = of_type("array");
    key.set("items", of_type("string"));
    key.set("maxItems", 64_i128);
    key.set("description", "A key that was or will be subscribed. It may be repeated, up to 64 times. Without any, the frames of all keys come.");
    Json::object([
        ("address", "/ws".into()),
        ("title", "The progress feed".into()),
        (
            "description",
            "The server sends one text message a frame. It sends a ping every 20 s, and ends the connection of a \
             client that takes nothing for 60 s. When the server stops, it closes with code 1001. Clients send \
             nothing; what they send has no meaning. Browsers send the token as the subprotocol \
             `stowage.bearer.TOKEN`, because they cannot set headers."
                .into(),
        ),
        ("servers", vec![reference("servers/websocket")].into()),
        (
            "messages",
            Json::object([("frame", reference("components/messages/frame"))]),
        ),
        (
            "bindings",
            Json::object([(
                "ws",
                Json::object([
                    ("method", "GET".into()),
                    ("query", object(vec![("key".into(), key, false)])),
                    ("bindingVersion", "0.1.0".into()),
                ]),
            )]),
        ),
    ])
}

fn subscribe_channel(method: &Method) -> Json {
    Json::object([
        ("address", method.path.as_str().into()),
        ("title", "The call that subscribes a key".into()),
        ("servers", vec![reference("servers/http")].into()),
        (
            "messages",
            Json::object([("subscription", reference("components/messages/subscription"))]),
        ),
    ])
}

/// Adds the named schemas that a schema uses, and those that they use.
fn add_used(schema: &Json, api: &Api, schemas: &mut Json) {
    match schema {
        Json::Object(members) => {
            let name = schema.text("$ref").strip_prefix("#/components/schemas/");
            if let Some((name, named)) = name.and_then(|name| api.schemas.get_key_value(name))
                && schemas.get(name).is_none()
            {
                schemas.set(name, named.clone());
                add_used(named, api, schemas);
            }
            members.iter().for_each(|(_, value)| add_used(value, api, schemas));
        }
        Json::Array(items) => items.iter().for_each(|item| add_used(item, api, schemas)),
        _ => {}
    }
}

/// A name that no schema has yet.
fn free_name(name: &str, schemas: &Json) -> String {
    let mut free = name.to_owned();
    while schemas.get(&free).is_some() {
        free.insert_str(0, "Feed");
    }
    free
}

fn frame(row: Json) -> Json {
    let described = |mut schema: Json, text: &str| {
        schema.set("description", text);
        schema
    };
    let mut code = of_type("integer");
    code.set("const", 200_i128);
    let mut rows = of_type("array");
    rows.set("items", row);
    let mut seq = of_type("integer");
    seq.set("minimum", 1_i128);
    object(vec![
        (
            "key".into(),
            described(of_type("string"), "The key whose tasks these are."),
            true,
        ),
        ("code".into(), code, true),
        ("message".into(), of_type("null"), true),
        (
            "data".into(),
            described(
                rows,
                "All tasks that match in the first frame of a key on a connection, then those that changed.",
            ),
            true,
        ),
        (
            "seq".into(),
            described(
                seq,
                "1 for the first frame of a key on a connection, then one more with each frame. After a gap, read a snapshot: connect anew.",
            ),
            true,
        ),
    ])
}

/// A row, if no loaded module describes it.
fn plain_row() -> Json {
    let texts = [
        "name",
        "thumb",
        "hash",
        "path",
        "folderPath",
        "sourcePath",
        "ext",
        "taskId",
    ];
    let numbers = [
        "id",
        "isCrypt",
        "size",
        "time",
        "type",
        "progress",
        "view",
        "status",
        "code",
        "shareIndex",
        "speed",
        "remaining",
        "priority",
    ];
    let fields = texts.map(|name| (name.to_owned(), of_type("string"), true));
    let fields = fields
        .into_iter()
        .chain(numbers.map(|name| (name.to_owned(), of_type("integer"), true)));
    let mut row = object(fields.collect());
    row.set("description", "A task. No loaded module says more about its fields.");
    row
}

fn security_schemes() -> Json {
    Json::object([
        (
            "bearer",
            Json::object([
                ("type", "http".into()),
                ("scheme", "bearer".into()),
                (
                    "description",
                    "The token of `serve --token`, or a session of the console.".into(),
                ),
            ]),
        ),
        (
            "bearerProtocol",
            Json::object([
                ("type", "httpApiKey".into()),
                ("in", "header".into()),
                ("name", "Sec-WebSocket-Protocol".into()),
                (
                    "description",
                    "The same token as a subprotocol: `stowage.bearer.TOKEN`.".into(),
                ),
            ]),
        ),
    ])
}
