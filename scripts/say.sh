# Sourced by the shell scripts: one way to speak, one way to show a long command.
# shellcheck shell=bash

say() { printf '%s\n' "$*" >&2; }

# fail MESSAGE REMEDY: what went wrong, what to do next, exit 1.
fail() {
  printf 'error: %s\n' "$1" >&2
  printf '  next: %s\n' "$2" >&2
  exit 1
}

# quietly LOG COMMAND…: the command's last line as a living line on a terminal, everything in LOG.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if [ -t 2 ]; then
    "$@" 2>&1 | tee "$log" | while IFS= read -r line; do printf '\r\033[K  %.100s' "$line" >&2; done
    local code=${PIPESTATUS[0]}
    printf '\r\033[K' >&2
    return "$code"
  fi
  "$@" >"$log" 2>&1
}
