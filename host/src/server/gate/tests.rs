//! Tests of the gate: the rules one by one, without a server.

use super::super::listener::Peer;
use super::*;

impl Gate {
    fn checked<B>(&self, request: &Request<B>) -> Result<(), Refused> {
        self.check(request, &caller())
    }

    fn checked_admin<B>(&self, request: &Request<B>) -> Result<(), Refused> {
        self.check_admin(request, &caller())
    }
}

/// A connection of its own.
fn caller() -> Caller {
    Caller::new(Peer::User(1000))
}

fn endpoint() -> Endpoint {
    Endpoint::Http("127.0.0.1:8787".parse().unwrap())
}

fn gate(token: Option<&str>) -> Gate {
    Gate::new(
        &endpoint(),
        &["stowage.test".into()],
        &["https://app.example".into()],
        token,
    )
}

fn request(headers: &[(&str, &str)]) -> Request<()> {
    let mut builder = Request::post("/x");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap()
}

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const OURS: (&str, &str) = ("host", "localhost:8787");

#[test]
fn only_known_hosts_are_answered() {
    for host in ["127.0.0.1:8787", "LOCALHOST:8787", "[::1]:8787", "stowage.test"] {
        assert_eq!(gate(None).checked(&request(&[("host", host), JSON])), Ok(()), "{host}");
    }
    for host in [
        "evil.example",
        "127.0.0.1",
        "127.0.0.1:1",
        "",
        "0.0.0.0:8787",
        "localhost:8787.evil",
    ] {
        assert_eq!(
            gate(None).checked(&request(&[("host", host), JSON])),
            Err(Refused::Host),
            "{host}"
        );
    }
    assert_eq!(gate(None).checked(&request(&[JSON])), Err(Refused::Host));
    assert_eq!(gate(None).checked(&request(&[OURS, OURS, JSON])), Err(Refused::Host));
}

#[test]
fn an_absolute_target_must_be_ours_too() {
    let request = Request::post("http://evil.example/x")
        .header(OURS.0, OURS.1)
        .header(JSON.0, JSON.1)
        .body(())
        .unwrap();
    assert_eq!(gate(None).checked(&request), Err(Refused::Host));
}

#[test]
fn origins_are_absent_or_known() {
    for origin in ["https://app.example", "http://localhost:8787"] {
        assert_eq!(gate(None).checked(&request(&[OURS, JSON, ("origin", origin)])), Ok(()));
    }
    for origin in ["null", "https://evil.example", "http://app.example", ""] {
        assert_eq!(
            gate(None).checked(&request(&[OURS, JSON, ("origin", origin)])),
            Err(Refused::Origin)
        );
    }
}

#[test]
fn a_post_is_json() {
    for bad in [
        "text/plain",
        "application/jsonp",
        "application/x-www-form-urlencoded",
        "",
    ] {
        assert_eq!(
            gate(None).checked(&request(&[OURS, ("content-type", bad)])),
            Err(Refused::ContentType)
        );
    }
    assert_eq!(gate(None).checked(&request(&[OURS])), Err(Refused::ContentType));
}

#[test]
fn a_token_is_asked_for_once_it_is_set() {
    let gate = gate(Some("secret"));
    assert_eq!(gate.checked(&request(&[OURS, JSON])), Err(Refused::Token));
    assert_eq!(
        gate.checked(&request(&[OURS, JSON, ("authorization", "Bearer wrong")])),
        Err(Refused::Token)
    );
    assert_eq!(
        gate.checked(&request(&[OURS, JSON, ("authorization", "Bearer secret")])),
        Ok(())
    );
    let offered = ("sec-websocket-protocol", "x, stowage.bearer.secret");
    assert_eq!(gate.checked(&request(&[OURS, JSON, offered])), Ok(()));
}

#[test]
fn the_admin_api_has_a_token_of_its_own_and_no_foreign_pages() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("admin.token");
    let token = AdminToken::open(&path).unwrap();
    let admin = format!("Bearer {}", std::fs::read_to_string(&path).unwrap().trim());
    let admin = ("authorization", admin.as_str());
    let gate = gate(Some("secret")).with_admin(&token);
    let wasm = ("content-type", "application/wasm");
    let check = |headers: &[(&str, &str)]| gate.checked_admin(&request(headers));
    for ok in [
        &[OURS, admin, wasm][..],
        &[OURS, admin, JSON],
        &[OURS, admin, JSON, ("origin", "http://localhost:8787")],
    ] {
        assert_eq!(check(ok), Ok(()), "{ok:?}");
    }
    for (headers, refused) in [
        (&[admin, JSON][..], Refused::Host),
        (
            &[OURS, admin, JSON, ("origin", "https://app.example")],
            Refused::AdminOrigin,
        ),
        (&[OURS, admin, JSON, ("origin", "null")], Refused::AdminOrigin),
        (&[OURS, JSON], Refused::AdminToken),
        (&[OURS, JSON, ("authorization", "Bearer secret")], Refused::AdminToken),
        (&[OURS, JSON, admin, admin], Refused::AdminToken),
        (&[OURS, admin], Refused::AdminContentType),
        (
            &[OURS, admin, ("content-type", "text/plain")],
            Refused::AdminContentType,
        ),
    ] {
        assert_eq!(check(headers), Err(refused), "{headers:?}");
    }
    let preflight = Request::options("/admin/modules")
        .header(OURS.0, OURS.1)
        .body(())
        .unwrap();
    assert_eq!(gate.checked_admin(&preflight), Err(Refused::AdminToken));
    let closed = self::gate(None);
    assert_eq!(
        closed.checked_admin(&request(&[OURS, admin, JSON])),
        Err(Refused::AdminToken)
    );
}

/// A gate with both tokens, and a session of it.
fn gate_with_session() -> (Gate, String) {
    let dir = tempfile::tempdir().unwrap();
    let token = AdminToken::open(&dir.path().join("admin.token")).unwrap();
    let sessions = Sessions::new(&token);
    let session = sessions.begin(now_ms()).unwrap();
    let gate = gate(Some("secret")).with_admin(&token).with_sessions(sessions);
    (gate, session.token)
}

#[test]
fn a_session_opens_both_apis_to_the_servers_own_pages() {
    let (gate, token) = gate_with_session();
    let bearer = format!("Bearer {token}");
    let session = ("authorization", bearer.as_str());
    let own = ("origin", "http://127.0.0.1:8787");
    for ok in [
        &[OURS, JSON, session][..],
        &[OURS, JSON, session, own],
        &[OURS, JSON, session, own, ("sec-fetch-site", "same-origin")],
    ] {
        assert_eq!(gate.checked(&request(ok)), Ok(()), "{ok:?}");
        assert_eq!(gate.checked_admin(&request(ok)), Ok(()), "{ok:?}");
    }
    for site in ["cross-site", "same-site", "none", ""] {
        let foreign = [OURS, JSON, session, ("sec-fetch-site", site)];
        assert_eq!(gate.checked(&request(&foreign)), Err(Refused::ConsoleOrigin), "{site}");
        assert_eq!(
            gate.checked_admin(&request(&foreign)),
            Err(Refused::ConsoleOrigin),
            "{site}"
        );
    }
    // An origin that may call the API with its token may not use a session.
    let allowed = [OURS, JSON, session, ("origin", "https://app.example")];
    assert_eq!(gate.checked(&request(&allowed)), Err(Refused::ConsoleOrigin));
    assert_eq!(gate.checked_admin(&request(&allowed)), Err(Refused::AdminOrigin));
}

#[test]
fn a_session_of_another_server_or_time_is_refused_with_what_to_do() {
    let (gate, token) = gate_with_session();
    let (_, other) = gate_with_session();
    for wrong in [other.as_str(), &token[..token.len() - 1], "console-"] {
        let protocol = format!("stowage.bearer.{wrong}");
        let bearer = format!("Bearer {wrong}");
        let bearer = [OURS, JSON, ("authorization", bearer.as_str())];
        assert_eq!(gate.checked(&request(&bearer)), Err(Refused::Session), "{wrong}");
        assert_eq!(gate.checked_admin(&request(&bearer)), Err(Refused::Session), "{wrong}");
        let protocol = [OURS, JSON, ("sec-websocket-protocol", protocol.as_str())];
        assert_eq!(gate.checked(&request(&protocol)), Err(Refused::Session), "{wrong}");
    }
    assert_eq!(Refused::Session.status(), StatusCode::UNAUTHORIZED);
    assert!(Refused::Session.to_string().contains("`stowage console`"));
    // Without a console there are no sessions.
    let without = self::gate(Some("secret"));
    let bearer = format!("Bearer {token}");
    let bearer = [OURS, JSON, ("authorization", bearer.as_str())];
    assert_eq!(without.checked(&request(&bearer)), Err(Refused::Token));
}

#[test]
fn the_console_is_for_the_servers_own_pages() {
    let gate = gate(Some("secret"));
    let own = ("origin", "http://localhost:8787");
    let get = |headers: &[(&str, &str)]| {
        let mut head = request(headers);
        *head.method_mut() = Method::GET;
        gate.check_console(&head, &caller())
    };
    assert_eq!(get(&[OURS]), Ok(()), "no token is needed");
    assert_eq!(get(&[OURS, own]), Ok(()));
    assert_eq!(get(&[]), Err(Refused::Host));
    assert_eq!(
        get(&[OURS, ("origin", "https://app.example")]),
        Err(Refused::ConsoleOrigin)
    );
    let post = |headers: &[(&str, &str)]| gate.check_console(&request(headers), &caller());
    assert_eq!(post(&[OURS, own, JSON]), Ok(()));
    assert_eq!(
        post(&[OURS, JSON]),
        Err(Refused::ConsoleOrigin),
        "an Origin is required"
    );
    assert_eq!(post(&[OURS, own]), Err(Refused::ConsoleContentType));
}

#[test]
fn after_ten_wrong_tokens_a_client_has_to_wait_and_connections_with_the_right_one_go_on() {
    let gate = gate(Some("secret"));
    let with = |caller: &Caller, token: &str| {
        let bearer = format!("Bearer {token}");
        gate.check(&request(&[OURS, JSON, ("authorization", &bearer)]), caller)
    };
    let known = caller();
    assert_eq!(with(&known, "secret"), Ok(()));
    for _ in 0..10 {
        assert_eq!(with(&caller(), "wrong"), Err(Refused::Token));
    }
    for token in ["wrong", "secret"] {
        let refused = with(&caller(), token).expect_err(token);
        assert_eq!(refused, Refused::Paused { seconds: 1 }, "{token}");
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(with(&known, "secret"), Ok(()));
    assert_eq!(with(&Caller::new(Peer::User(1001)), "secret"), Ok(()), "another client");
    // A request without a token is no guess.
    assert_eq!(gate.checked(&request(&[OURS, JSON])), Err(Refused::Token));
}

#[test]
fn a_session_is_no_guess() {
    let (gate, token) = gate_with_session();
    for _ in 0..20 {
        let old = [OURS, JSON, ("authorization", "Bearer console-old")];
        assert_eq!(gate.checked(&request(&old)), Err(Refused::Session));
        assert_eq!(gate.checked_admin(&request(&old)), Err(Refused::Session));
    }
    for _ in 0..10 {
        let wrong = [OURS, JSON, ("authorization", "Bearer wrong")];
        assert_eq!(gate.checked_admin(&request(&wrong)), Err(Refused::AdminToken));
    }
    let bearer = format!("Bearer {token}");
    let session = [OURS, JSON, ("authorization", bearer.as_str())];
    assert_eq!(gate.checked_admin(&request(&session)), Ok(()));
}

#[test]
fn over_tls_the_server_has_other_origins_and_the_names_of_its_certificate_are_its_own() {
    let endpoint = Endpoint::Https("127.0.0.1:8787".parse().unwrap());
    let gate = Gate::new(&endpoint, &["stowage.test".into()], &[], None);
    for (origin, expected) in [
        ("https://127.0.0.1:8787", Ok(())),
        ("https://stowage.test", Ok(())),
        ("http://127.0.0.1:8787", Err(Refused::Origin)),
        ("http://stowage.test", Err(Refused::Origin)),
    ] {
        assert_eq!(
            gate.checked(&request(&[OURS, JSON, ("origin", origin)])),
            expected,
            "{origin}"
        );
    }
    let own = [("host", "stowage.test"), ("origin", "https://stowage.test"), JSON];
    assert_eq!(gate.check_console(&request(&own), &caller()), Ok(()));
    // Without TLS, a name proves nothing.
    let plain = self::gate(None);
    let own = [("host", "stowage.test"), ("origin", "http://stowage.test"), JSON];
    assert_eq!(
        plain.check_console(&request(&own), &caller()),
        Err(Refused::ConsoleOrigin)
    );
}

#[test]
fn health_needs_a_host_and_an_origin_but_no_token() {
    let gate = gate(Some("secret"));
    assert_eq!(gate.check_health(&request(&[OURS])), Ok(()));
    assert_eq!(
        gate.check_health(&request(&[("host", "evil.example")])),
        Err(Refused::Host)
    );
    assert_eq!(
        gate.check_health(&request(&[OURS, ("origin", "https://evil.example")])),
        Err(Refused::Origin)
    );
}

#[test]
fn a_unix_socket_is_called_localhost() {
    let gate = Gate::new(&Endpoint::Unix("/run/stowage.sock".into()), &[], &[], None);
    assert_eq!(gate.checked(&request(&[("host", "localhost"), JSON])), Ok(()));
    for host in ["localhost:80", "127.0.0.1", "evil.example", ""] {
        assert_eq!(
            gate.checked(&request(&[("host", host), JSON])),
            Err(Refused::Host),
            "{host}"
        );
    }
}

#[test]
fn metrics_need_the_token_of_the_api_or_that_of_the_admin_api() {
    let dir = tempfile::tempdir().unwrap();
    let admin = AdminToken::open(&dir.path().join("admin.token")).unwrap();
    let text = std::fs::read_to_string(dir.path().join("admin.token")).unwrap();
    let bearer = |token: &str| format!("Bearer {}", token.trim_end());
    let ask =
        |gate: &Gate, token: &str| gate.check_metrics(&request(&[OURS, ("authorization", &bearer(token))]), &caller());
    let closed = gate(Some("secret")).with_admin(&admin);
    assert_eq!(closed.check_metrics(&request(&[OURS]), &caller()), Err(Refused::Token));
    assert_eq!(ask(&closed, "wrong"), Err(Refused::Token));
    assert_eq!(ask(&closed, "secret"), Ok(()));
    assert_eq!(ask(&closed, &text), Ok(()));
    let open = gate(None).with_admin(&admin);
    assert_eq!(open.check_metrics(&request(&[OURS]), &caller()), Ok(()));
    // Without an admin token, no token is one.
    assert_eq!(
        gate(Some("secret")).check_metrics(&request(&[OURS]), &caller()),
        Err(Refused::Token)
    );
}

#[test]
fn guesses_at_the_metrics_pause_the_admin_token_too() {
    let dir = tempfile::tempdir().unwrap();
    let admin = AdminToken::open(&dir.path().join("admin.token")).unwrap();
    let right = std::fs::read_to_string(dir.path().join("admin.token")).unwrap();
    let gate = gate(Some("secret")).with_admin(&admin);
    let ask = |caller: &Caller, token: &str| {
        let bearer = format!("Bearer {}", token.trim_end());
        gate.check_metrics(&request(&[OURS, ("authorization", &bearer)]), caller)
    };
    let (known, guesser) = (caller(), caller());
    assert_eq!(ask(&known, &right), Ok(()));
    for number in 0..10 {
        assert_eq!(ask(&guesser, &format!("wrong {number}")), Err(Refused::Token));
    }
    for token in [&right, "secret", "wrong"] {
        assert!(matches!(ask(&guesser, token), Err(Refused::Paused { .. })), "{token}");
    }
    assert_eq!(ask(&known, &right), Ok(()), "it has given the right one before");

    // The same after guesses at the admin API.
    let guesser = Caller::new(Peer::User(1));
    for number in 0..10 {
        let bearer = format!("Bearer wrong {number}");
        let asked = gate.check_admin(&request(&[OURS, ("authorization", &bearer)]), &guesser);
        assert_eq!(asked, Err(Refused::AdminToken));
    }
    assert!(matches!(ask(&guesser, &right), Err(Refused::Paused { .. })));
    assert_eq!(ask(&guesser, "secret"), Ok(()), "another credential");
}
