#!/bin/bash
# A Docker engine that answers: the one that is there, or (as root, on Debian) docker.io installed and started.
# DOCKER_HOST names another engine; one that is elsewhere is asked, never started. Exit 1 says what to do.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh

patience=${OTAGATE_ENGINE_PATIENCE:-60}   # seconds for a started engine to answer
log=/var/log/otagate-engine.log
here=/var/run/docker.sock

# One request over the engine's socket; python3 is needed anyway, a docker CLI or curl is not.
answers() {
  [ -S "$1" ] && python3 - "$1" <<'P' 2>/dev/null
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect(sys.argv[1])
s.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
sys.exit(b" 200 " not in s.recv(64))
P
}

case ${DOCKER_HOST:-} in
  '') ;;
  unix://*) here=${DOCKER_HOST#unix://} ;;
  *)
    .venv/bin/python -c 'import docker; docker.from_env(timeout=10).ping()' 2>/dev/null && exit 0
    fail "the engine at DOCKER_HOST=$DOCKER_HOST does not answer" "start it there, or: unset DOCKER_HOST"
    ;;
esac
answers "$here" && exit 0
[ -z "${DOCKER_HOST:-}" ] || [ "$here" = /var/run/docker.sock ] ||
  fail "the engine at DOCKER_HOST=$DOCKER_HOST does not answer" "start it, or: unset DOCKER_HOST"

if [ "$(id -u)" != 0 ]; then
  own=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/docker.sock
  answers "$own" && fail "no engine at $here, but your own answers at $own" "export DOCKER_HOST=unix://$own, then: make setup"
  if [ -S "$here" ] && [ ! -w "$here" ]; then
    fail "$here may not be used by $(id -un)" "sudo usermod -aG docker $(id -un), log in again, then: make setup"
  fi
  fail "no Docker engine answers at $here, and to install or start one takes root" \
    "sudo scripts/engine.sh && sudo usermod -aG docker $(id -un), log in again, then: make setup"
fi

exec 9>/run/otagate-engine.lock
flock -w $((patience * 5)) 9 || fail "another run holds /run/otagate-engine.lock" "wait for it, then: make setup"
answers "$here" && exit 0
started=$SECONDS

install_engine() {
  local packages=(docker.io iptables ca-certificates)
  command -v apt-get >/dev/null ||
    fail "there is no dockerd, and no apt-get to install it with" "install Docker by this system's own means, then: make setup"
  say "container engine: installing docker.io"
  export DEBIAN_FRONTEND=noninteractive
  quietly "$log" apt-get update -q || fail "apt-get update failed ($log)" "look at the network and /etc/apt, then: make setup"
  apt-cache show docker-cli >/dev/null 2>&1 && packages+=(docker-cli)   # Debian 13 keeps the command apart
  quietly "$log" apt-get install -y -q --no-install-recommends "${packages[@]}" 9>&- || {
    tail -n 5 "$log" >&2
    fail "apt-get could not install ${packages[*]} ($log)" "mend what it says, then: make setup"
  }
  hash -r
}

# A pid file that a killed engine left behind stops the next one: its number may be a zombie's or a stranger's by now.
remove_stale() {
  local file=$1 program=$2 pid name state
  [ -s "$file" ] || return 0
  pid=$(cat "$file")
  name=$(awk '$1 == "Name:" {print $2}' "/proc/$pid/status" 2>/dev/null || true)
  state=$(awk '$1 == "State:" {print $2}' "/proc/$pid/status" 2>/dev/null || true)
  if [ "$name" != "$program" ] || [ "$state" = Z ]; then
    rm -f "$file"
  fi
}

# What a bare container lacks and a booted system has.
prepare_host() {
  if ! grep -q ' /sys/fs/cgroup' /proc/mounts && grep -qw cgroup2 /proc/filesystems; then
    mount -t cgroup2 none /sys/fs/cgroup || fail "cgroups cannot be mounted" "run this on a machine, or in a container that may mount"
  fi
  if ! iptables -t nat -S >/dev/null 2>&1 && iptables-legacy -t nat -S >/dev/null 2>&1; then
    say "container engine: nftables do not work here, taking iptables-legacy"
    update-alternatives --set iptables /usr/sbin/iptables-legacy >/dev/null
    update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy >/dev/null
  fi
  remove_stale /var/run/docker.pid dockerd
  remove_stale /var/run/docker/containerd/containerd.pid containerd
}

launch() {
  setsid nohup dockerd -H "unix://$here" "$@" >"$log" 2>&1 </dev/null 9>&- &
  engine=$!
}

await() {
  local deadline=$((SECONDS + patience))
  while [ "$SECONDS" -lt "$deadline" ]; do
    answers "$here" && return 0
    if [ -n "$engine" ] && ! kill -0 "$engine" 2>/dev/null; then
      return 1
    fi
    sleep 0.1
  done
  return 1
}

command -v dockerd >/dev/null || install_engine
engine=''
if ! answers "$here"; then   # the package's own script may have started it
  if [ -d /run/systemd/system ]; then
    systemctl enable --now docker >"$log" 2>&1 ||
      fail "systemd could not start docker" "systemctl status docker; mend what it says, then: make setup"
  else
    prepare_host
    launch
  fi
  await || {
    tail -n 15 "$log" >&2
    fail "the engine ended, or did not answer within $patience s ($log)" "mend what its log says, then: make setup"
  }
fi
say "container engine: ready in $((SECONDS - started)) s"
[ -z "$engine" ] || say "  (started by hand, there is no systemd: after a restart of this machine, make setup starts it again)"
if grep -qE '(storage-driver|graphdriver\(s\))=vfs' "$log" 2>/dev/null; then
  say "  (its folder is on a file system without overlays: every image is copied whole, slow and large)"
fi
