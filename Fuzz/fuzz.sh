#!/usr/bin/env bash
# Fuzz/fuzz.sh TARGET [SECONDS]: tries a property of Fuzz/Targets or Fuzz/Native on inputs that libFuzzer makes up, under the address
# sanitizer. The inputs it learns from are kept in .build/fuzz; one that is a finding is named at the end: put it into Fuzz/Corpus/TARGET,
# where the tests replay it. OPTIMISATION=-Onone builds faster.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?which of $(ls Fuzz/Corpus)} seconds=${2:-60}
out=.build/fuzz
[ -d "Fuzz/Corpus/$target" ] || { echo "there is no target $target; there are" $(ls Fuzz/Corpus) >&2; exit 2; }
mkdir -p "$out/$target"

# What the properties in Swift are about. Packages are left out: they take long to build, and have fuzzers of their own.
host=(Sources/SXHost/{NativeThread,ResourceLimit}.swift Sources/SXHost/HTTP/{Gzip,PercentCoding,RequestFields,RequestTarget,TraceExportParts}.swift
  Sources/SXHost/Probe/{ProbeFrame,ProbeTurn,UnixSocket}.swift)
command=(Sources/sx/Server/Line{Answer,Command,Splitter}.swift)
native=()
for file in Fuzz/*.swift Fuzz/Native/*.swift; do [[ $file == */ReplayTests.swift ]] || native+=("$file"); done

flags=(-swift-version 6 ${OPTIMISATION:--O} -sanitize=fuzzer,address -parse-as-library -wmo -package-name sx -I "$out"
  -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility -enable-upcoming-feature InternalImportsByDefault)
for module in CNativeStack:Sources/CNativeStack/include CGzip:Sources/CGzip/include SXPrelude:prelude/include; do
  map=$out/modules/${module%%:*}/module.modulemap
  mkdir -p "${map%/*}"
  printf 'module %s { umbrella "%s" export * }\n' "${module%%:*}" "$PWD/${module#*:}" > "$map"
  flags+=(-Xcc "-fmodule-map-file=$PWD/$map")
done

compile() { # MODULE SOURCE...
  swiftc "${flags[@]}" -enable-testing -module-name "$1" -emit-module -emit-module-path "$out/$1.swiftmodule" -emit-object -o "$out/$1.o" "${@:2}"
  # The compiler leaves a file alone that would be the same again.
  touch "$out/$1.o"
}

# is_older FILE SOURCE...: whether it has to be made.
is_older() { [ ! -e "$1" ] || [ -n "$(find "${@:2}" -newer "$1" -print -quit)" ]; }

c=(clang -g -O1 -fsanitize=address,fuzzer-no-link)
if is_older "$out/native_stack.o" Sources/CNativeStack; then "${c[@]}" -c Sources/CNativeStack/native_stack.c -I Sources/CNativeStack/include -o "$out/native_stack.o"; fi
if is_older "$out/gzip.o" Sources/CGzip; then "${c[@]}" -c Sources/CGzip/gzip.c -I Sources/CGzip/include -o "$out/gzip.o"; fi
if is_older "$out/prelude.o" prelude; then clang -c prelude/prelude.c -I prelude/include -o "$out/prelude.o"; fi
if is_older "$out/SX.o" Sources/SX Sources/CNativeStack; then
  find Sources/SX -name '*.swift' > "$out/sources"
  compile SX @"$out/sources"
fi
if is_older "$out/SXHost.o" "$out/SX.o" Fuzz/fuzz.sh "${host[@]}"; then compile SXHost "${host[@]}"; fi
if is_older "$out/sx.o" "$out/SX.o" Fuzz/fuzz.sh "${command[@]}"; then compile sx "${command[@]}"; fi
if is_older "$out/fuzz" "$out"/{SX,SXHost,sx,native_stack,gzip,prelude}.o "${native[@]}"; then
  swiftc "${flags[@]}" -module-name Fuzz "${native[@]}" "$out"/{SX,SXHost,sx,native_stack,gzip,prelude}.o -lz -o "$out/fuzz"
fi

options=()
# Programs do more when they know what there is.
if [ "$target" = run ]; then
  sed -n 's/^### `\([^"\`]*\)`$/"\1"/p' docs/reference.md > "$out/names"
  options+=(-dict="$out/names")
fi

# Unoptimised code under the sanitizer takes much of the stack.
ulimit -s 1000000 2>/dev/null || true
# A fake stack would hide from the interpreter how deep it is.
ASAN_OPTIONS=detect_stack_use_after_return=0:detect_leaks=0 SWIFT_BACKTRACE=enable=no FUZZ_TARGET=$target FUZZ_SOURCE=Fuzz/Targets/$target.sx \
  "$out/fuzz" "$out/$target" "Fuzz/Corpus/$target" ${options[@]+"${options[@]}"} -max_total_time="$seconds" -detect_leaks=0 -timeout=20 -rss_limit_mb=3000 -max_len=4096 -artifact_prefix="$out/"
