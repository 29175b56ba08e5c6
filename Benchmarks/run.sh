#!/usr/bin/env bash
# The same programs in SX and in other interpreters, in one run. Installs the peers, prints the table.
# usage: Benchmarks/run.sh [arguments of compare.py]
set -euo pipefail
cd "$(dirname "$0")/.."
missing=()
for peer in lua5.4:lua5.4 luajit:luajit guile:guile-3.0 node:nodejs; do
  command -v "${peer%%:*}" >/dev/null || missing+=("${peer##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  sudo=$([ "$(id -u)" = 0 ] || echo sudo)
  $sudo apt-get update -qq && $sudo apt-get install -y -qq "${missing[@]}" >/dev/null
fi
exec /usr/bin/python3 Benchmarks/compare.py --sx .build/release/sx "$@"
