#!/bin/bash
# The project's Python environment in .venv: what requirements.lock names, by hash, and the project itself, editable.
# A second run with nothing changed ends at once. PYTHON chooses the interpreter (3.11 or newer).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh

python=${PYTHON:-python3}
venv=.venv
packages='sudo apt-get install -y python3-venv make git'
started=$SECONDS

command -v "$python" >/dev/null || fail "there is no $python" "$packages"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" --version) is too old: otagate needs Python 3.11 or newer" \
    "make setup PYTHON=/path/to/python3.11"

digest() { sha256sum | cut -c1-64; }
lock=$({ "$python" --version; cat requirements.lock; } | digest)
project=$({ echo "$lock"; cat pyproject.toml; } | digest)
stamped() { [ "$(cat "$venv/$1" 2>/dev/null)" = "$2" ] && "$venv/bin/python" -c '' 2>/dev/null; }
stamped otagate-lock "$lock" && stamped otagate-project "$project" && exit 0

# Two runs at once would install over each other.
mkdir -p .cache
exec 9>.cache/venv.lock
flock -w 900 9 || fail "another setup has held .cache/venv.lock for 15 minutes" "wait for it, then: make setup"

if ! stamped otagate-lock "$lock"; then
  say "Python environment: installing $(grep -c '^[a-z].*==' requirements.lock) locked packages into $venv"
  rm -f "$venv/otagate-lock" "$venv/otagate-project"
  "$venv/bin/python" -c 'import pip' 2>/dev/null || rm -rf "$venv"   # half made, or its interpreter is gone
  [ -d "$venv" ] || "$python" -m venv "$venv" >.cache/venv.log 2>&1 || {
    tail -n 5 .cache/venv.log >&2
    rm -rf "$venv"
    fail "$python cannot make an environment" "$packages"
  }
  quietly .cache/pip.log "$venv/bin/pip" install --disable-pip-version-check --progress-bar off --no-compile \
    --require-hashes -r requirements.lock || {
    tail -n 15 .cache/pip.log >&2
    fail "pip could not install requirements.lock (whole output: .cache/pip.log)" \
      "look at the network or the package index (pip config list), then: make setup"
  }
  # Ansible's collections are 30,000 files of which a run imports a few: compiling them costs more than it gives.
  quietly .cache/compile.log "$venv/bin/python" -m compileall -q -j 0 -x 'ansible_collections|/bad_|lib2to3/tests' \
    "$venv"/lib/python3*/site-packages || true   # some packages carry files for other Pythons
  echo "$lock" >"$venv/otagate-lock"
fi

quietly .cache/project.log "$venv/bin/pip" install --disable-pip-version-check --no-deps --no-build-isolation \
  --no-compile -e . || {
  tail -n 15 .cache/project.log >&2
  fail "pip could not install the project itself (whole output: .cache/project.log)" "mend pyproject.toml, then: make setup"
}
echo "$project" >"$venv/otagate-project"
say "Python environment: ready in $((SECONDS - started)) s"
