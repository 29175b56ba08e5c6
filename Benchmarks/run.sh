#!/usr/bin/env bash
# Everything that is measured, each part beside its peers. Installs the peers, prints Markdown, keeps it under .build/bench.
# usage: Benchmarks/run.sh                                   all parts (about an hour)
#        Benchmarks/run.sh PART [its arguments]              programs growth primitives telemetry receiver server memory startup
#        Benchmarks/run.sh programs -n 3 --only trees,nbody
#        Benchmarks/run.sh soak                              an hour of mixed load, beside all parts; see soak.py
# SX=path measures another binary than .build/release/sx.
set -euo pipefail
cd "$(dirname "$0")/.."
parts=(startup memory programs primitives telemetry receiver server growth)
export SX=${SX:-$PWD/.build/release/sx}
python=/usr/bin/python3
peers=.build/bench/python

[ -x "$SX" ] || { echo "no $SX: make build"; exit 1; }

# Debian's packages, by the file that each brings.
missing=()
for peer in lua5.4:lua5.4 luajit:luajit guile:guile-3.0 node:nodejs wrk:wrk /usr/bin/time:time $python:python3; do
  command -v "${peer%%:*}" >/dev/null || missing+=("${peer##*:}")
done
$python -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
  sudo=$([ "$(id -u)" = 0 ] || echo sudo)
  $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${missing[@]}" >/dev/null
fi

# PyPI's, in an environment of their own.
install_python_peers() {
  [ -x $peers/bin/python ] || $python -m venv $peers
  $peers/bin/pip install -q --disable-pip-version-check -r Benchmarks/requirements.txt
}

# The Hummingbird server is built once, and again when its sources are newer.
build_hummingbird() {
  local built=.build/bench/hummingbird/release/Hello
  if [ ! -x $built ] || [ -n "$(find Benchmarks/hummingbird-hello -name '*.swift' -newer $built)" ]; then
    swift build -c release --static-swift-stdlib --package-path Benchmarks/hummingbird-hello --scratch-path .build/bench/hummingbird >&2 ||
      echo "Hummingbird does not build; the server benchmark goes without it" >&2
  fi
}

run_part() {
  local part=$1
  shift
  case $part in
    programs) $python Benchmarks/compare.py --sx "$SX" "$@" ;;
    growth | primitives | memory | startup) $python "Benchmarks/$part.py" "$@" ;;
    receiver) install_python_peers; $peers/bin/python Benchmarks/receiver.py "$@" ;;
    telemetry) install_python_peers; $python Benchmarks/telemetry.py "$@" ;;
    soak) install_python_peers; $peers/bin/python Benchmarks/soak.py "$@" ;;
    server) install_python_peers; build_hummingbird; $python Benchmarks/server.py "$@" ;;
    *) echo "no part $part: ${parts[*]}" >&2; exit 64 ;;
  esac
}

if [ $# -gt 0 ]; then
  run_part "$@"
else
  failed=()
  for part in "${parts[@]}"; do
    run_part "$part" || failed+=("$part")
  done
  [ ${#failed[@]} = 0 ] || { echo "not as they should be: ${failed[*]}" >&2; exit 1; }
fi
