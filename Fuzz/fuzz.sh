#!/usr/bin/env bash
# Fuzz/fuzz.sh TARGET [SECONDS]: tries a property of Fuzz/Targets or Fuzz/Native on inputs that libFuzzer makes up, under the address
# sanitizer. The inputs it learns from are kept in .build/fuzz; one that is a finding is named at the end: put it into Fuzz/Corpus/TARGET,
# where the tests replay it. OPTIMISATION=-Onone builds faster.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?which of $(ls Fuzz/Corpus)} seconds=${2:-60}
out=.build/fuzz
mkdir -p "$out/$target" "$out/modules"
[ -d "Fuzz/Corpus/$target" ] || { echo "there is no target $target; there are" $(ls Fuzz/Corpus) >&2; exit 2; }

# What the properties in Swift are about. Packages are left out: they take long to build, and have fuzzers of their own.
host=(Sources/SXHost/NativeThread.swift Sources/SXHost/HTTP/{PercentCoding,RequestFields,RequestTarget,TraceExportParts}.swift
  Sources/SXHost/Probe/{ProbeFrame,ProbeTurn,UnixSocket}.swift)
command=(Sources/sx/Server/Line{Answer,Command,Splitter}.swift)
native=()
for file in Fuzz/*.swift Fuzz/Native/*.swift; do [[ $file == */ReplayTests.swift ]] || native+=("$file"); done

flags=(-swift-version 6 ${OPTIMISATION:--O} -sanitize=fuzzer,address -parse-as-library -wmo -package-name sx -I "$out"
  -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility -enable-upcoming-feature InternalImportsByDefault
  -Xcc "-fmodule-map-file=$PWD/$out/modules/CNativeStack/module.modulemap" -Xcc "-fmodule-map-file=$PWD/$out/modules/SXPrelude/module.modulemap")

compile() { # MODULE SOURCE...
  swiftc "${flags[@]}" -enable-testing -module-name "$1" -emit-module -emit-module-path "$out/$1.swiftmodule" -emit-object -o "$out/$1.o" "${@:2}"
}

# is_older FILE SOURCE...: whether it has to be made.
is_older() { [ ! -e "$1" ] || [ -n "$(find "${@:2}" -newer "$1" -print -quit)" ]; }

for module in CNativeStack:Sources/CNativeStack/include SXPrelude:prelude/include; do
  mkdir -p "$out/modules/${module%%:*}"
  printf 'module %s { umbrella "%s" export * }\n' "${module%%:*}" "$PWD/${module#*:}" > "$out/modules/${module%%:*}/module.modulemap"
done
clang -g -O1 -fsanitize=address -c Sources/CNativeStack/native_stack.c -I Sources/CNativeStack/include -o "$out/native_stack.o"
if is_older "$out/prelude.o" prelude; then clang -c prelude/prelude.c -I prelude/include -o "$out/prelude.o"; fi
if is_older "$out/SX.o" Sources/SX Sources/CNativeStack; then
  find Sources/SX -name '*.swift' > "$out/sources"
  compile SX @"$out/sources"
fi
if is_older "$out/SXHost.o" "$out/SX.o" "${host[@]}"; then compile SXHost "${host[@]}"; fi
if is_older "$out/sx.o" "$out/SX.o" "${command[@]}"; then compile sx "${command[@]}"; fi
if is_older "$out/fuzz" "$out"/{SX,SXHost,sx,prelude}.o "${native[@]}"; then
  swiftc "${flags[@]}" -module-name Fuzz "${native[@]}" "$out"/{SX,SXHost,sx,native_stack,prelude}.o -o "$out/fuzz"
fi

# Unoptimised code under the sanitizer takes much of the stack.
ulimit -s 1000000 2>/dev/null || true
# A fake stack would hide from the interpreter how deep it is.
ASAN_OPTIONS=detect_stack_use_after_return=0:detect_leaks=0 SWIFT_BACKTRACE=enable=no FUZZ_TARGET=$target FUZZ_SOURCE=Fuzz/Targets/$target.sx \
  "$out/fuzz" "$out/$target" "Fuzz/Corpus/$target" -max_total_time="$seconds" -detect_leaks=0 -timeout=20 -rss_limit_mb=3000 -max_len=4096 -artifact_prefix="$out/"
