//! The binary `frontrow`: parses the command line and dispatches. One sentence on standard error when something is wrong.

use clap::Parser as _;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            api::console::complain(&indexer::sentence(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let cli = api::cli::Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(dispatch(cli));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}

async fn dispatch(cli: api::cli::Cli) -> anyhow::Result<()> {
    use api::cli::Command;
    api::console::start_log();
    match cli.command {
        Command::Serve(args) => Box::pin(api::serve::run(args)).await?,
        Command::Migrate(args) => api::serve::migrate(&args).await?,
        Command::Reconcile(args) => Box::pin(api::serve::reconcile(args)).await?,
        Command::Audit(args) => api::serve::audit(&args).await?,
        Command::Vectors(api::cli::Vectors::Fetch(args)) => api::vectors::fetch(&args).await?,
        Command::Demo(args) => Box::pin(api::serve::demo(args)).await?,
    }
    Ok(())
}
