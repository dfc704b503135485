//! The routes of the admin API.

use http::Method;

/// The routes under `/admin/`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Route {
    List,
    ShadowOf(String),
    LogOf(String),
    Overview,
    History,
    Migration,
    Record,
    Check,
    Swap,
    Shadow,
    Canary,
    CanaryPercent,
    Promote,
    Abort,
    Rollback,
    Unload,
    ConsoleLink,
    Backup,
    DatabaseCheck,
    DatabaseDump,
}

/// What a request's body holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum BodyType {
    /// Parameters as a JSON object; an empty body is none.
    Json,
    /// The bytes of modules.
    Module,
    /// The content type is not checked.
    Any,
}

impl Route {
    /// The route of a percent-encoded path.
    pub(super) fn of(path: &str) -> Option<Route> {
        let path = path.strip_prefix("/admin/")?;
        Some(match path {
            "modules" => Route::List,
            "overview" => Route::Overview,
            "history" => Route::History,
            "migration" => Route::Migration,
            "record" => Route::Record,
            "modules/check" => Route::Check,
            "modules/swap" => Route::Swap,
            "modules/shadow" => Route::Shadow,
            "modules/canary" => Route::Canary,
            "modules/canary/percent" => Route::CanaryPercent,
            "modules/promote" => Route::Promote,
            "modules/abort" => Route::Abort,
            "modules/rollback" => Route::Rollback,
            "modules/unload" => Route::Unload,
            "console/link" => Route::ConsoleLink,
            "backup" => Route::Backup,
            "db/check" => Route::DatabaseCheck,
            "db/dump" => Route::DatabaseDump,
            _ => {
                let (name, what) = path.strip_prefix("modules/")?.split_once('/')?;
                let name = percent_encoding::percent_decode_str(name).decode_utf8().ok()?;
                match what {
                    _ if name.is_empty() => return None,
                    "shadow" => Route::ShadowOf(name.into_owned()),
                    "log" => Route::LogOf(name.into_owned()),
                    _ => return None,
                }
            }
        })
    }

    /// What the request's body holds.
    pub(super) fn body_type(&self) -> BodyType {
        match self {
            Route::Check | Route::Swap | Route::Shadow | Route::Canary => BodyType::Module,
            Route::CanaryPercent
            | Route::Promote
            | Route::Abort
            | Route::Rollback
            | Route::Unload
            | Route::ConsoleLink => BodyType::Json,
            Route::List
            | Route::ShadowOf(_)
            | Route::LogOf(_)
            | Route::Overview
            | Route::History
            | Route::Migration
            | Route::Record
            | Route::Backup
            | Route::DatabaseCheck
            | Route::DatabaseDump => BodyType::Any,
        }
    }

    /// The methods it accepts. GET has no side effects.
    pub(super) fn methods(&self) -> &'static [Method] {
        match self {
            Route::List
            | Route::ShadowOf(_)
            | Route::LogOf(_)
            | Route::Overview
            | Route::History
            | Route::Migration
            | Route::DatabaseCheck
            | Route::DatabaseDump => &[Method::GET],
            Route::Record | Route::Backup => &[Method::GET, Method::POST, Method::DELETE],
            Route::Check
            | Route::Swap
            | Route::Shadow
            | Route::Canary
            | Route::CanaryPercent
            | Route::Promote
            | Route::Abort
            | Route::Rollback
            | Route::Unload
            | Route::ConsoleLink => &[Method::POST],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_route() {
        assert_eq!(Route::of("/admin/modules"), Some(Route::List));
        assert_eq!(Route::of("/admin/modules/swap"), Some(Route::Swap));
        assert_eq!(
            Route::of("/admin/modules/a%20b/shadow"),
            Some(Route::ShadowOf("a b".into()))
        );
        assert_eq!(
            Route::of("/admin/modules/swap/shadow"),
            Some(Route::ShadowOf("swap".into()))
        );
        assert_eq!(Route::of("/admin/modules/a%2Fb/log"), Some(Route::LogOf("a/b".into())));
        assert_eq!(Route::of("/admin/modules/canary/percent"), Some(Route::CanaryPercent));
        for path in [
            "/admin",
            "/admin/",
            "/admin/x",
            "/admin/modules/",
            "/admin/modules/a/b/shadow",
            "/admin/modules//shadow",
            "/admin/modules//log",
            "/admin/modules/a/percent",
            "/admin/modules/a/log/b",
            "/x/modules",
        ] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }
}
