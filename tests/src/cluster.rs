//! One private Postgres cluster for a whole test run, shared by all its processes and gone when the run is.
//!
//! Under nextest the run is the runner (every test is a process of its own), else it is this process. The first process to need the
//! cluster makes it, under a file lock; a watchdog in a shell ends it, and every server still registered with it, once the run has ended
//! however it ended.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::{CommandExt, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A running cluster.
pub(crate) struct Cluster {
    pub(crate) port: u16,
    pub(crate) dir: PathBuf,
}

/// The run's cluster, started by the first who asks.
pub(crate) fn shared() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let run = if std::env::var_os("NEXTEST").is_some() { parent_id() } else { std::process::id() };
        let dir = std::env::temp_dir().join(format!("frontrow-test-{run}"));
        fs::create_dir_all(dir.join("processes")).unwrap();
        let lock = File::create(dir.join("lock")).unwrap();
        lock.lock().unwrap();
        let port_file = dir.join("port");
        let port = if let Ok(text) = fs::read_to_string(&port_file) {
            text.trim().parse().unwrap()
        } else {
            watch(run, &dir);
            let port = start(&dir, "-c wal_level=logical");
            crate::database::make_template(port);
            fs::write(&port_file, port.to_string()).unwrap();
            port
        };
        Cluster { port, dir }
    })
}

/// A directory for a cluster of its own, which the run's watchdog knows.
pub(crate) fn directory() -> PathBuf {
    let dir = tempfile::Builder::new().prefix("cluster-").tempdir_in(&shared().dir).unwrap().keep();
    give_to_server(&dir);
    dir
}

/// A cluster with these files, readable by the server alone, and settings made of where they are; gives its port and that directory.
pub(crate) fn separate_with(files: &[(&str, &str)], settings: impl FnOnce(&Path) -> String) -> (u16, PathBuf) {
    let dir = directory();
    for (name, text) in files {
        let file = dir.join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((uid, gid)) = server_user() {
            chown(&file, Some(uid), Some(gid)).unwrap();
        }
    }
    (start(&dir, &settings(&dir)), dir)
}

/// Makes and starts a cluster in `dir/data`; gives its port.
pub(crate) fn start(dir: &Path, settings: &str) -> u16 {
    give_to_server(dir);
    let initdb = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"];
    succeed(tool(dir, "initdb").args(initdb).arg(dir.join("data")));
    launch_anywhere(dir, settings)
}

/// Starts the cluster that is in `dir/data`; gives its port.
pub(crate) fn launch_anywhere(dir: &Path, settings: &str) -> u16 {
    // Asked for once more when somebody takes the free port first.
    for _ in 0..5 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if launch(dir, port, settings) {
            return port;
        }
    }
    panic!("Postgres did not start: {}", fs::read_to_string(dir.join("log")).unwrap_or_default());
}

/// Starts the cluster that is in `dir/data` on a port; false when it does not come up.
pub(crate) fn launch(dir: &Path, port: u16, settings: &str) -> bool {
    let options = format!(
        "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} {settings} \
         -c max_wal_senders=64 -c max_replication_slots=512 -c max_connections=400 -c shared_buffers=128MB",
        dir.display()
    );
    let mut command = tool(dir, "pg_ctl");
    command
        .args(["start", "-w", "-t", "60", "-o", &options, "-l"])
        .arg(dir.join("log"))
        .arg("-D")
        .arg(dir.join("data"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// One of Postgres's programs, run as who owns the clusters.
pub(crate) fn tool(dir: &Path, name: &str) -> Command {
    let mut command = Command::new(postgres_bin().join(name));
    command.current_dir(dir).env("LC_ALL", "C").stdin(Stdio::null());
    if let Some((uid, gid)) = server_user() {
        command.uid(uid).gid(gid);
    }
    command
}

fn give_to_server(dir: &Path) {
    if let Some((uid, gid)) = server_user() {
        chown(dir, Some(uid), Some(gid)).unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).unwrap();
    }
}

/// Ends what the run left behind, after the run.
fn watch(run: u32, dir: &Path) {
    const SCRIPT: &str = r#"
        while kill -0 "$1" 2>/dev/null; do sleep 1; done
        for file in "$2"/processes/*; do [ -e "$file" ] && kill -s KILL -- "-${file##*/}"; done
        for file in "$2"/data/postmaster.pid "$2"/cluster-*/data/postmaster.pid; do
            [ -e "$file" ] && kill -QUIT "$(head -n 1 "$file")"
        done
        sleep 1
        rm -rf "$2"
    "#;
    // Never waited for: it outlives this process by design.
    drop(
        Command::new("sh")
            .args(["-c", SCRIPT, "watchdog", &run.to_string()])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap(),
    );
}

/// Where `initdb` and `pg_ctl` of Postgres 15 or later are; found as `./run` finds them.
#[must_use]
pub fn postgres_bin() -> PathBuf {
    let script = repository().join(".ci/lib.sh");
    let found = Command::new("bash").args(["-c", r#". "$1" && postgres_bin"#, "find"]).arg(&script).output().unwrap();
    let path = String::from_utf8(found.stdout).unwrap();
    assert!(found.status.success() && !path.trim().is_empty(), "no Postgres 15 or later here; name its bin in PG_BIN");
    PathBuf::from(path.trim())
}

fn repository() -> &'static Path {
    crate::process::repository()
}

/// The user and group the server runs as: never root.
fn server_user() -> Option<(u32, u32)> {
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout.trim_ascii() != b"0" {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let ids = |user: &str| {
        let mut fields = passwd.lines().find(|line| line.split(':').next() == Some(user))?.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(ids("postgres").or_else(|| ids("nobody")).unwrap())
}

pub(crate) fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
