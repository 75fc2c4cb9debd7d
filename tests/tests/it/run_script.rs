//! `./run` as one types it, on prebuilt binaries: it starts everything, keeps its data, and leaves nothing behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tests::{Client, Process, binary, postgres_bin, repository, until};

fn run(data: &Path) -> Process {
    let mut command = Command::new(repository().join("run"));
    command.args(["--addr", "127.0.0.1:0", "--demo-events", "25", "--data"]).arg(data);
    command.env("FRONTROW_BIN", binary("frontrow").parent().unwrap()).env_remove("DATABASE_URL");
    Process::spawn(&mut command)
}

/// Command lines of processes that name the directory.
fn processes_on(data: &Path) -> Vec<String> {
    // A small machine has no ps, and one without /proc has.
    let script = r#"if [ -d /proc/self ]; then for p in /proc/[0-9]*; do tr '\0' ' ' <"$p/cmdline"; echo; done; else ps -eo args=; fi"#;
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let data = data.to_str().unwrap();
    text.lines().filter(|line| line.contains(data)).map(str::to_owned).collect()
}

async fn everything_answers(base: &str) {
    let visitor = Client::new(base);
    assert_eq!(visitor.get("/").await.status, 200);
    until("the demo is found", || async {
        (visitor.get("/event?limit=1").await.expect(200)["total"] == 25).then_some(())
    })
    .await;
}

async fn interrupted(process: &mut Process, data: &Path) {
    process.interrupt();
    process.end().await;
    until("nothing runs on the directory", || async { processes_on(data).is_empty().then_some(()) }).await;
}

#[tokio::test]
async fn a_second_start_keeps_the_data_and_ctrl_c_leaves_nothing() {
    let dir = TempDir::with_prefix("frontrow-run-").unwrap();
    // The server's own user must reach its part of it.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = dir.path();

    let mut first = run(data);
    let base = first.line("ready ", Duration::from_mins(3)).await;
    everything_answers(&base).await;
    let logins: serde_json::Value = serde_json::from_slice(&fs::read(data.join("logins.json")).unwrap()).unwrap();
    let password = logins["fan@frontrow.test"].as_str().unwrap();
    assert!(first.output().contains(password), "the logins are printed");
    let fan = Client::new(&base).logged_in("fan@frontrow.test", password).await;
    let name = fan.get("/user").await.expect(200)["name"].clone();
    fan.put("/user", &serde_json::json!({"name": "Kept over night"})).await.expect(200).as_object().unwrap();
    assert_ne!(name, "Kept over night");
    interrupted(&mut first, data).await;

    let mut second = run(data);
    let base = second.line("ready ", Duration::from_mins(3)).await;
    everything_answers(&base).await;
    let fan = Client::new(&base).logged_in("fan@frontrow.test", password).await;
    assert_eq!(fan.get("/user").await.expect(200)["name"], "Kept over night");
    let env = fs::read_to_string(data.join("env")).unwrap();
    let url = env.lines().find_map(|line| line.strip_prefix("DATABASE_URL=")).unwrap();
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let events: i64 = client.query_one("select count(*) from event", &[]).await.unwrap().get(0);
    assert_eq!(events, 25);
    drop(client);
    connection.await.unwrap().unwrap();
    interrupted(&mut second, data).await;
}

/// A background script does not hear Ctrl-C, but the single-user server that makes its database does: it drops the statement and
/// ends as if all were well.
#[tokio::test]
async fn a_cluster_whose_database_was_interrupted_is_made_again() {
    let dir = TempDir::with_prefix("frontrow-cluster-").unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (real, deaf) = (postgres_bin(), dir.path().join("bin"));
    fs::create_dir(&deaf).unwrap();
    for tool in ["initdb", "pg_ctl"] {
        std::os::unix::fs::symlink(real.join(tool), deaf.join(tool)).unwrap();
    }
    let postgres = format!(
        "#!/bin/sh\ncase \"$1 $*\" in --single*' postgres') exec {0}/postgres \"$@\" </dev/null ;; esac\nexec {0}/postgres \"$@\"\n",
        real.display()
    );
    fs::write(deaf.join("postgres"), postgres).unwrap();
    fs::set_permissions(deaf.join("postgres"), fs::Permissions::from_mode(0o755)).unwrap();
    let script = r#". .ci/lib.sh; mkdir -p "$1/c"; ! is_root || chown "$(server_user)" "$1/c"
        cluster_start "$1/c" && cluster_stop "$1/c" && echo made"#;
    let start = |bin: &Path| {
        let mut command = Command::new("bash");
        command.args(["-c", script, "make"]).arg(dir.path()).env("PG_BIN", bin).current_dir(repository());
        command.output().unwrap()
    };
    let interrupted = start(&deaf);
    let said = String::from_utf8_lossy(&interrupted.stderr).into_owned();
    assert!(!interrupted.status.success() && said.contains("the database could not be made"), "{said}");
    assert!(!dir.path().join("c/data").exists(), "half a cluster is taken for one");
    let again = start(&real);
    assert_eq!(String::from_utf8_lossy(&again.stdout), "made\n", "{}", String::from_utf8_lossy(&again.stderr));
}

#[tokio::test]
async fn a_wrong_argument_is_named_and_nothing_starts() {
    for (arguments, named) in [(["--port", "80"], "--port"), (["--demo-events", "many"], "many")] {
        let output = Command::new(repository().join("run")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let sentence = String::from_utf8(output.stderr).unwrap();
        assert!(
            sentence.starts_with("frontrow: ") && sentence.contains(named) && sentence.lines().count() == 1,
            "{sentence}"
        );
    }
}
