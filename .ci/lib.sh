# Shared by ./run, ./test and .ci/run: finding and installing what they need, and a private Postgres cluster.
# Sourced, never run. Safe for bash 3.2. It starts no server as root and touches no cluster but its own.
# shellcheck shell=bash

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "frontrow: $*"
  exit 1
}
is_root() { [ "$(id -u)" = 0 ]; }

# The first directory whose initdb is of Postgres 15 or later; prints it.
postgres_bin() {
  local dir version
  for dir in "${PG_BIN:-}" "$(pg_config --bindir 2>/dev/null)" \
    $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -t/ -k5 -rn) \
    /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin \
    "$(dirname "$(command -v initdb 2>/dev/null)" 2>/dev/null)"; do
    [ -n "$dir" ] && [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ] || continue
    version=$("$dir/initdb" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    [ "${version:-0}" -ge 15 ] || continue
    printf '%s\n' "$dir"
    return 0
  done
  return 1
}
