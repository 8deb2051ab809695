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
# A service's sources are modules of their own image: each tree is looked at as that image sees it.
for tree in environments/*/services/*/ environments/*/suites/; do
  [ -n "$(find "$tree" -name '*.py' -print -quit 2>/dev/null)" ] || continue
  check mypy --explicit-package-bases "$tree"
done
check lint-imports --no-cache

if [ "${#failed[@]}" -gt 0 ]; then
  printf 'failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
