# Shared by ./run, ./test and .ci/run: finding and installing what they need, and a private Postgres cluster.
# Sourced, never run. Safe for bash 3.2. It starts no server as root and touches no cluster but its own.
# shellcheck shell=bash
# shellcheck disable=SC2034 # CLUSTER_URL is for whoever sources this.

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "frontrow: $*"
  exit 1
}
is_root() { [ "$(id -u)" = 0 ]; }
have() { command -v "$1" >/dev/null 2>&1; }

# ensure COMMAND PACKAGE…: installs Debian packages when root there, else says what to type.
ensure() {
  local command=$1
  shift
  have "$command" || install_packages "$command" "$@"
}

install_packages() {
  local what=$1
  shift
  if is_root && have apt-get; then
    say "installing $*"
    apt_install "$@" || { apt-get update >&2 && apt_install "$@"; } || fail "apt-get could not install $*"
  elif have apt-get; then
    fail "$what is missing; type: sudo apt-get install -y $*"
  elif have brew; then
    fail "$what is missing; type: brew install ${what%% *}"
  else
    fail "$what is missing; install it with your system's package manager"
  fi
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >&2
}

ensure_cargo() {
  have cargo || PATH="$HOME/.cargo/bin:$PATH"
  have cargo || fail "Rust is missing; type: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
  ensure cc build-essential
}

# Node, and a Chromium named in CHROMIUM.
ensure_browser() {
  local name
  ensure_node
  for name in chromium chromium-browser google-chrome; do
    if [ -z "${CHROMIUM:-}" ] && have "$name"; then CHROMIUM=$(command -v "$name"); fi
  done
  if [ -z "${CHROMIUM:-}" ]; then
    install_packages chromium chromium
    CHROMIUM=$(command -v chromium)
  fi
  export CHROMIUM
}

# What vite runs on. Debian's may be older: a newer one then comes as the npm package that carries it.
ensure_node() {
  local tools=$PWD/target/tools
  if is_node node && have npm; then return 0; fi
  if is_node "$tools/node_modules/.bin/node" && have npm; then
    PATH="$tools/node_modules/.bin:$PATH"
    return 0
  fi
  ensure node nodejs npm
  ensure npm npm
  is_node node && return 0
  if is_root && have apt-get; then
    say "installing Node 20 in target/tools, since $(node --version) is too old"
    mkdir -p "$tools"
    npm install --prefix "$tools" --no-audit --no-fund --no-save node@20 >&2 || true
  fi
  PATH="$tools/node_modules/.bin:$PATH"
  is_node node ||
    fail "Node 20.19 or later (22.12 or later) is needed; type: npm install --prefix target/tools node@20"
}

is_node() {
  "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number);
    process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)' 2>/dev/null
}

# ensure_mail_sink: a real SMTP server that keeps what it is given, in an environment of its own; prints its python.
ensure_mail_sink() {
  local tools=$PWD/target/tools/mail
  if [ ! -x "$tools/bin/aiosmtpd" ]; then
    ensure python3 python3 python3-venv
    python3 -m venv "$tools" >&2 || { install_packages python3-venv python3-venv && python3 -m venv "$tools" >&2; }
    "$tools/bin/pip" install --quiet --disable-pip-version-check aiosmtpd==1.4.6 >&2 || fail "aiosmtpd could not be installed"
  fi
  printf '%s\n' "$tools/bin/python"
}

# The S3 emulator of the tests; pinned, so that every run meets the same one.
ensure_s3() {
  ensure_python_tool s3 'moto[s3,server]==5.2.1'
}

# A Stripe for the tests; pinned.
ensure_stripe() {
  ensure_python_tool stripe localstripe==1.15.10
}

# ensure_python_tool NAME PACKAGE==VERSION: a Python with the package, in target/tools/NAME.
ensure_python_tool() {
  local place=$PWD/target/tools/$1 package=$2
  local ready=$place/ready-${package##*==}
  if [ -f "$ready" ]; then return 0; fi
  ensure python3 python3
  python3 -m venv "$place" >&2 || {
    install_packages python3-venv python3-venv
    python3 -m venv "$place" >&2 || fail "python3 makes no virtual environment in $place"
  }
  "$place/bin/pip" install --quiet --disable-pip-version-check "$package" >&2 ||
    fail "pip could not install $package; type: target/tools/$1/bin/pip install '$package'"
  touch "$ready"
}

# A clock of its own for a program under test.
ensure_faketime() {
  ensure faketime faketime
}

ensure_redis() {
  ensure redis-server redis-server
}

# The caches whose configurations are in deploy/.
ensure_edges() {
  PATH="$PATH:/usr/sbin"
  ensure nginx nginx-light
  ensure varnishd varnish
}

# What reads PDF tickets back, and draws them.
ensure_pdf() {
  ensure pdftotext poppler-utils
}

# The directory of a Postgres of version 15 or later, the one named first, then the newest; prints it.
postgres_bin() {
  local dir version
  for dir in "${PG_BIN:-}" "$(pg_config --bindir 2>/dev/null)"; do
    if is_postgres "$dir"; then return 0; fi
  done
  for version in 20 19 18 17 16 15; do
    for dir in "/usr/lib/postgresql/$version/bin" "/usr/pgsql-$version/bin" \
      "/opt/homebrew/opt/postgresql@$version/bin" "/usr/local/opt/postgresql@$version/bin"; do
      if is_postgres "$dir"; then return 0; fi
    done
  done
  is_postgres "$(dirname "$(command -v initdb || echo /none/initdb)")"
}

# Prints the directory when it has the programs of a server that is new enough.
is_postgres() {
  local version
  if [ ! -x "$1/initdb" ] || [ ! -x "$1/pg_ctl" ]; then return 1; fi
  version=$("$1/initdb" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
  [ "${version:-0}" -ge 15 ] && printf '%s\n' "$1"
}

# Finds Postgres, or installs it; sets PG_BIN.
ensure_postgres() {
  PG_BIN=$(postgres_bin) && return 0
  install_packages "postgresql@16 (Postgres 15 or later)" postgresql
  PG_BIN=$(postgres_bin) || fail "Postgres 15 or later is needed; name its directory of initdb in PG_BIN"
}

# Runs a command as whoever may own a Postgres server: root steps down.
as_server() {
  if ! is_root; then
    "$@"
  else
    (cd / && runuser -u "$(server_user)" -- "$@")
  fi
}

server_user() {
  if id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

# A port of 127.0.0.1 that nobody listens on.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 30000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  printf '%s\n' "$port"
}

random_text() {
  od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

# cluster_start DIR: makes a cluster in DIR when there is none, starts it when it is not running, sets CLUSTER_URL.
# DIR belongs to the server's user; its password and port are in DIR/password and in the running server's own file.
cluster_start() {
  local dir=$1 port try
  if [ ! -f "$dir/data/PG_VERSION" ]; then
    as_server rm -rf "$dir/data" "$dir/new"
    cluster_init "$dir" "$dir/new"
    # In one step: what an interrupt left half-made is never taken for a cluster.
    as_server mv "$dir/new" "$dir/data"
  fi
  if ! as_server "$PG_BIN/pg_ctl" status -D "$dir/data" >/dev/null 2>&1; then
    for try in 1 2 3 4 5; do
      port=$(free_port)
      as_server "$PG_BIN/pg_ctl" start -w -s -t 120 -D "$dir/data" -l "$dir/log" -o "-p $port" >/dev/null 2>&1 && break
      [ "$try" -lt 5 ] || fail "Postgres does not start; its log is $dir/log"
    done
  fi
  port=$(as_server sed -n 4p "$dir/data/postmaster.pid")
  CLUSTER_URL="postgres://frontrow:$(as_server cat "$dir/password")@127.0.0.1:$port/frontrow"
}

cluster_init() {
  local dir=$1 data=$2
  as_server sh -c "umask 077; printf %s '$(random_text)' >'$dir/password'"
  as_server "$PG_BIN/initdb" --username=frontrow --auth=scram-sha-256 --pwfile="$dir/password" \
    --encoding=UTF8 --locale=C -D "$data" >/dev/null || fail "initdb failed in $dir"
  as_server sh -c "cat >>'$data/postgresql.conf'" <<'CONF'
wal_level = logical
max_wal_senders = 16
max_replication_slots = 16
max_slot_wal_keep_size = 8GB
max_connections = 200
shared_buffers = 256MB
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
CONF
  # Single-user mode: the database is there before anyone can connect.
  echo 'create database frontrow' | as_server "$PG_BIN/postgres" --single -D "$data" postgres >/dev/null 2>&1 ||
    fail "the database could not be made in $dir"
  # Its exit code says nothing of a statement that an interrupt cancelled; that it can be opened does.
  as_server "$PG_BIN/postgres" --single -D "$data" frontrow </dev/null >/dev/null 2>&1 ||
    fail "the database could not be made in $dir"
}

cluster_stop() {
  as_server "$PG_BIN/pg_ctl" stop -w -s -t 60 -m fast -D "$1/data" >/dev/null 2>&1 || true
}
