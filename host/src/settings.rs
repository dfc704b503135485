//! The settings of `stowage serve`. A flag wins over its `STOWAGE_*` variable, this over the TOML
//! file, this over the default. They are read once.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, FromArgMatches as _};
use serde::Deserialize;

use crate::listen::Listen;
use crate::settings_file;
use crate::telemetry::LogFormat;

/// Most bytes of a settings file.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// All settings; each is optional. In the TOML file, a setting is named as its flag, without `--`.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// Where to listen: ADDRESS:PORT, where port 0 picks a free one, or unix:PATH
    /// [default: 127.0.0.1:8787]
    #[arg(long, env = "STOWAGE_LISTEN", value_name = "ADDRESS:PORT|unix:PATH")]
    pub listen: Option<Listen>,
    /// Speak TLS with this certificate: PEM, those that signed it behind it; read again when it
    /// changes
    #[arg(long, env = "STOWAGE_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate: PEM, without a password
    #[arg(long, env = "STOWAGE_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// The data directory: database, downloads, temp files, compiled modules
    #[arg(long, env = "STOWAGE_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The cloud space: file:///DIR, memory:///, s3://BUCKET/PREFIX, gs://…, az://…, https://…
    /// [default: DATA/space]
    #[arg(long, env = "STOWAGE_SPACE", value_name = "URL", value_parser = space)]
    pub space: Option<String>,
    /// A directory of NAME.wasm modules; they replace built-in modules of the same name
    #[arg(long, env = "STOWAGE_MODULES", value_name = "DIR")]
    pub modules: Option<PathBuf>,
    /// A directory whose NAME.wasm modules go live when they are put there, while the server runs
    #[arg(long, env = "STOWAGE_WATCH_MODULES", value_name = "DIR")]
    pub watch_modules: Option<PathBuf>,
    /// A directory of public keys, NAME.pub; then only modules that one of them signed go live
    #[arg(long, env = "STOWAGE_MODULE_KEYS", value_name = "DIR")]
    pub module_keys: Option<PathBuf>,
    /// Fill an empty space with demo files
    #[arg(long, env = "STOWAGE_DEMO", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub demo: Option<bool>,
    /// The token that clients must send as `Authorization: Bearer TOKEN`; required beyond loopback
    #[arg(long, env = "STOWAGE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Accept one more value of the Host header, for example the name of a proxy; repeatable
    #[arg(long, env = "STOWAGE_ALLOW_HOST", value_delimiter = ',', value_name = "HOST[:PORT]")]
    pub allow_host: Option<Vec<String>>,
    /// An origin whose web pages may call the API; repeatable
    #[arg(long, env = "STOWAGE_ALLOW_ORIGIN", value_delimiter = ',', value_name = "ORIGIN")]
    pub allow_origin: Option<Vec<String>>,
    /// One more directory that `downloadPath` may lie in, besides DATA/downloads and the user's
    /// download folder; repeatable
    #[arg(long, env = "STOWAGE_DOWNLOAD_ROOT", value_delimiter = ',', value_name = "DIR")]
    pub download_root: Option<Vec<PathBuf>>,
    /// One more directory whose files may be uploaded, besides the user's download folder;
    /// repeatable
    #[arg(long, env = "STOWAGE_UPLOAD_ROOT", value_delimiter = ',', value_name = "DIR")]
    pub upload_root: Option<Vec<PathBuf>>,
    /// Leave out the console, the page at `/`
    #[arg(long, env = "STOWAGE_NO_CONSOLE", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub no_console: Option<bool>,
    /// Most connections; a further one takes the place of one that is idle [default: 1024]
    #[arg(long, env = "STOWAGE_MAX_CONNECTIONS", value_name = "N", value_parser = whole::<usize>(1, 1_000_000))]
    pub max_connections: Option<usize>,
    /// Seconds until a connection ends on which no whole request head came [default: 30]
    #[arg(long, env = "STOWAGE_HEAD_SECONDS", value_name = "S", value_parser = whole::<u64>(1, 86_400))]
    pub head_seconds: Option<u64>,
    /// Seconds in which a request's body must come; of a file, a part of it [default: 30]
    #[arg(long, env = "STOWAGE_BODY_SECONDS", value_name = "S", value_parser = whole::<u64>(1, 86_400))]
    pub body_seconds: Option<u64>,
    /// Seconds until a connection ends whose client takes no byte of a response [default: 30]
    #[arg(long, env = "STOWAGE_WRITE_SECONDS", value_name = "S", value_parser = whole::<u64>(1, 86_400))]
    pub write_seconds: Option<u64>,
    /// Most calls that run at the same time; further ones wait [default: 128]
    #[arg(long, env = "STOWAGE_MAX_CALLS", value_name = "N", value_parser = whole::<usize>(1, 4096))]
    pub max_calls: Option<usize>,
    /// Most transfers that run at the same time, in each direction [default: 4]
    #[arg(long, env = "STOWAGE_MAX_TRANSFERS", value_name = "N", value_parser = whole::<usize>(1, 256))]
    pub max_transfers: Option<usize>,
    /// Calls that one instance of a module serves; 0 for a new instance a call [default: 1000]
    #[arg(long, env = "STOWAGE_REUSE", value_name = "N", value_parser = whole::<u32>(0, 1_000_000))]
    pub reuse: Option<u32>,
    /// Milliseconds of processor time that a call may use [default: 5000]
    #[arg(long, env = "STOWAGE_CPU_MS", value_name = "MS", value_parser = whole::<u64>(1, 3_600_000))]
    pub cpu_ms: Option<u64>,
    /// Milliseconds a call may take, its commit aside [default: 60000]
    #[arg(long, env = "STOWAGE_WALL_MS", value_name = "MS", value_parser = whole::<u64>(1, 86_400_000))]
    pub wall_ms: Option<u64>,
    /// MiB of linear memory a module may use [default: 64]
    #[arg(long, env = "STOWAGE_MEMORY_MIB", value_name = "MIB", value_parser = whole::<usize>(2, 4095))]
    pub memory_mib: Option<usize>,
    /// MiB of memory for the database's cache [default: 32]
    #[arg(long, env = "STOWAGE_CACHE_MIB", value_name = "MIB", value_parser = whole::<usize>(1, 1 << 20))]
    pub cache_mib: Option<usize>,
    /// MiB of memory for cached responses; 0 turns the cache off [default: 8]
    #[arg(long, env = "STOWAGE_RESPONSE_CACHE_MIB", value_name = "MIB", value_parser = whole::<usize>(0, 1 << 20))]
    pub response_cache_mib: Option<usize>,
    /// Seconds that requests in flight may take when the server stops [default: 20]
    #[arg(long, env = "STOWAGE_DRAIN_SECONDS", value_name = "S", value_parser = whole::<u64>(0, 86_400))]
    pub drain_seconds: Option<u64>,
    /// Seconds that the server goes on after SIGTERM while `/readyz` already says no, for a load
    /// balancer [default: 0]
    #[arg(long, env = "STOWAGE_DRAIN_DELAY_SECONDS", value_name = "S", value_parser = whole::<u64>(0, 600))]
    pub drain_delay_seconds: Option<u64>,
    /// How log lines look [default: text]
    #[arg(long, env = "STOWAGE_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Send traces and logs to this OTLP endpoint, as HTTP with protobuf: http://HOST:4318
    #[arg(long, env = "STOWAGE_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Make a backup this often, for example 6h or 30m; needs --backup-to
    #[arg(long, env = "STOWAGE_BACKUP_EVERY", value_name = "TIME")]
    pub backup_every: Option<Every>,
    /// Where scheduled backups go: a folder, or s3://…, gs://…, az://…
    #[arg(long, env = "STOWAGE_BACKUP_TO", value_name = "PLACE")]
    pub backup_to: Option<String>,
    /// How many backups are kept; older ones are removed [default: all]
    #[arg(long, env = "STOWAGE_BACKUP_KEEP", value_name = "N", value_parser = whole::<usize>(1, 1_000_000))]
    pub backup_keep: Option<usize>,
}

/// A time between two runs, at least a second. As text: `90s`, `6h`, `1day 12h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Every(pub Duration);

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Every, String> {
        match humantime::parse_duration(text) {
            Ok(time) if time >= Duration::from_secs(1) => Ok(Every(time)),
            Ok(_) => Err("expected at least 1s".to_owned()),
            Err(error) => Err(format!("expected a time such as 30m, 6h or 1day: {error}")),
        }
    }
}

impl TryFrom<String> for Every {
    type Error = String;

    fn try_from(text: String) -> Result<Every, String> {
        text.parse()
    }
}

/// The text of a settings file. A pipe would never end, and neither would some devices.
fn read_regular(file: &Path) -> std::io::Result<String> {
    let found = std::fs::metadata(file)?;
    if !found.is_file() || found.len() > MAX_FILE_BYTES {
        return Err(std::io::Error::other("expected a regular file of at most 1 MiB"));
    }
    std::fs::read_to_string(file)
}

impl Settings {
    /// The settings of a TOML file.
    ///
    /// # Errors
    /// Names the file, the line, the column, the key and the expected value, of each fault on a
    /// line of its own.
    pub fn read(file: &Path) -> anyhow::Result<Settings> {
        let text = read_regular(file).with_context(|| format!("the settings file {}", file.display()))?;
        settings_file::parse(&text).map_err(|faults| {
            let lines: Vec<_> = faults.lines(file.display()).collect();
            anyhow::Error::msg(lines.join("\n"))
        })
    }

    /// The names of the variables that hold settings.
    pub fn variables() -> Vec<String> {
        let command = Settings::augment_args(clap::Command::new("settings"));
        let names = command.get_arguments().filter_map(|arg| arg.get_env());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    /// The settings of the variables that `get` knows, and what is wrong with the others.
    pub fn from_environment(get: impl Fn(&str) -> Option<OsString>) -> (Settings, Vec<String>) {
        let known = Settings::augment_args(clap::Command::new("settings").no_binary_name(true));
        // The variables of the process are not looked at: `get` has them.
        let command = known.clone().mut_args(|arg| arg.env(None::<&str>));
        let parse = |words: &[OsString]| command.clone().try_get_matches_from(words);
        let (mut good, mut errors) = (Vec::new(), Vec::new());
        for arg in known.get_arguments() {
            let (Some(name), Some(long)) = (arg.get_env().and_then(|name| name.to_str()), arg.get_long()) else {
                continue;
            };
            let Some(value) = get(name) else { continue };
            let mut word = OsString::from(format!("--{long}="));
            word.push(value);
            match parse(std::slice::from_ref(&word)) {
                Ok(_) => good.push(word),
                Err(error) => {
                    let text = error.to_string();
                    let first = text.lines().next().unwrap_or_default();
                    errors.push(format!("{name}: {}", first.trim_start_matches("error: ")));
                }
            }
        }
        match parse(&good).and_then(|matches| Settings::from_arg_matches(&matches)) {
            Ok(settings) => (settings, errors),
            Err(error) => {
                errors.push(error.to_string());
                (Settings::default(), errors)
            }
        }
    }

    /// These settings, completed by those of `other`.
    #[must_use]
    pub fn over(self, other: Settings) -> Settings {
        Settings {
            listen: self.listen.or(other.listen),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            data: self.data.or(other.data),
            space: self.space.or(other.space),
            modules: self.modules.or(other.modules),
            watch_modules: self.watch_modules.or(other.watch_modules),
            module_keys: self.module_keys.or(other.module_keys),
            demo: self.demo.or(other.demo),
            token: self.token.or(other.token),
            allow_host: self.allow_host.or(other.allow_host),
            allow_origin: self.allow_origin.or(other.allow_origin),
            download_root: self.download_root.or(other.download_root),
            upload_root: self.upload_root.or(other.upload_root),
            no_console: self.no_console.or(other.no_console),
            max_connections: self.max_connections.or(other.max_connections),
            head_seconds: self.head_seconds.or(other.head_seconds),
            body_seconds: self.body_seconds.or(other.body_seconds),
            write_seconds: self.write_seconds.or(other.write_seconds),
            max_calls: self.max_calls.or(other.max_calls),
            max_transfers: self.max_transfers.or(other.max_transfers),
            reuse: self.reuse.or(other.reuse),
            cpu_ms: self.cpu_ms.or(other.cpu_ms),
            wall_ms: self.wall_ms.or(other.wall_ms),
            memory_mib: self.memory_mib.or(other.memory_mib),
            cache_mib: self.cache_mib.or(other.cache_mib),
            response_cache_mib: self.response_cache_mib.or(other.response_cache_mib),
            drain_seconds: self.drain_seconds.or(other.drain_seconds),
            drain_delay_seconds: self.drain_delay_seconds.or(other.drain_delay_seconds),
            log_format: self.log_format.or(other.log_format),
            otlp_endpoint: self.otlp_endpoint.or(other.otlp_endpoint),
            backup_every: self.backup_every.or(other.backup_every),
            backup_to: self.backup_to.or(other.backup_to),
            backup_keep: self.backup_keep.or(other.backup_keep),
        }
    }
}

/// Takes a whole number of this range.
fn whole<T: TryFrom<u64>>(least: u64, most: u64) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("expected a whole number from {least} to {most}"))
    }
}

/// Takes the place of a space. Whether there is a space is found out when it is opened.
fn space(text: &str) -> Result<String, String> {
    let url = stowage_cli::space::space_url(text).ok().filter(|_| !text.is_empty());
    match url.is_some_and(|url| url::Url::parse(&url).is_ok()) {
        true => Ok(text.to_owned()),
        false => Err("expected a directory or a URL like file:///DIR or s3://BUCKET/PREFIX".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let error = toml::from_str::<Settings>("lisen = \"127.0.0.1:1\"").unwrap_err();
        assert!(error.to_string().contains("lisen"));
    }

    #[test]
    fn a_time_is_read_as_people_write_it() {
        let file: Settings = toml::from_str("backup-every = \"1h 30m\"").unwrap();
        assert_eq!(file.backup_every, Some(Every(Duration::from_secs(5400))));
        for wrong in [
            "backup-every = \"soon\"",
            "backup-every = \"10ms\"",
            "backup-every = \"\"",
        ] {
            assert!(toml::from_str::<Settings>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let file: Settings = toml::from_str("reuse = 3\ncpu-ms = 7").unwrap();
        let flags = Settings {
            reuse: Some(5),
            ..Settings::default()
        };
        let merged = flags.over(file);
        assert_eq!((merged.reuse, merged.cpu_ms), (Some(5), Some(7)));
    }
}
