//! Runs the server until it is killed: `model-api --port N --latency-ms N`.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use model_api::{ModelApi, Options};

const USAGE: &str = "usage: model-api [--port N] [--latency-ms N]";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nowhere else to say it.
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let options = options(arguments)?;
    let server = ModelApi::start_with(&options).map_err(|error| error.to_string())?;
    writeln!(std::io::stdout(), "{}", server.url()).map_err(|error| error.to_string())?;
    server.join();
    Ok(())
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        let bad = |_| format!("{name} takes a number, not `{value}`\n{USAGE}");
        match name.as_str() {
            "--port" => options.port = value.parse().map_err(bad)?,
            "--latency-ms" => {
                options.latency = Duration::from_millis(value.parse().map_err(bad)?);
            }
            _ => return Err(format!("unknown argument `{name}`\n{USAGE}")),
        }
    }
    Ok(options)
}
