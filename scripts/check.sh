#!/bin/bash
# Every check, each named as it starts; all run, and any failure fails the whole.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=()

check() {
  printf -- '-- %s\n' "$*"
  "$bin/$@" || failed+=("$1")
}

check ruff format --check --quiet .
check ruff check --quiet .
check mypy
# A service's sources are modules of an image of their own: each tree is looked at as its image sees it.
for tree in environments/*/services/*/; do
  [ -n "$(find "$tree" -name '*.py' -print -quit)" ] || continue
  MYPYPATH=$tree check mypy "$tree"
done
check lint-imports --no-cache --no-logo

if [ "${#failed[@]}" -gt 0 ]; then
  printf 'failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
