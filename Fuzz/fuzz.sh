#!/usr/bin/env bash
# Fuzz/fuzz.sh TARGET [SECONDS]: tries a property of Fuzz/Targets on inputs that libFuzzer makes up, under the address sanitizer.
# The inputs it learns from are kept in .build/fuzz; one that is a finding is named at the end: put it into Fuzz/Corpus/TARGET, where
# the tests replay it. OPTIMISATION=-Onone builds faster.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?which of $(ls Fuzz/Targets)} seconds=${2:-60}
out=.build/fuzz
mkdir -p "$out/$target" "$out/modules"

if [ ! -x "$out/fuzz" ] || [ -n "$(find Sources/SX Sources/CNativeStack prelude Fuzz -name '*.swift' -newer "$out/fuzz" -o -name '*.[ch]' -newer "$out/fuzz" -o -path 'prelude/*.sx' -newer "$out/fuzz")" ]; then
  for module in CNativeStack:Sources/CNativeStack/include SXPrelude:prelude/include; do
    mkdir -p "$out/modules/${module%%:*}"
    printf 'module %s { umbrella "%s" export * }\n' "${module%%:*}" "$PWD/${module#*:}" > "$out/modules/${module%%:*}/module.modulemap"
  done
  clang -g -O1 -fsanitize=address -c Sources/CNativeStack/native_stack.c -I Sources/CNativeStack/include -o "$out/native_stack.o"
  clang -c prelude/prelude.c -I prelude/include -o "$out/prelude.o"
  flags=(-swift-version 6 ${OPTIMISATION:--O} -sanitize=fuzzer,address -parse-as-library -wmo -package-name sx
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility -enable-upcoming-feature InternalImportsByDefault
    -Xcc "-fmodule-map-file=$PWD/$out/modules/CNativeStack/module.modulemap" -Xcc "-fmodule-map-file=$PWD/$out/modules/SXPrelude/module.modulemap")
  find Sources/SX -name '*.swift' > "$out/sources"
  swiftc "${flags[@]}" -module-name SX -emit-module -emit-module-path "$out/SX.swiftmodule" -emit-object -o "$out/SX.o" @"$out/sources"
  swiftc "${flags[@]}" -module-name Fuzz -I "$out" Fuzz/*.swift "$out"/{SX,native_stack,prelude}.o -o "$out/fuzz"
fi

# Unoptimised code under the sanitizer takes much of the stack.
ulimit -s 1000000 2>/dev/null || true
mkdir -p "Fuzz/Corpus/$target"
# A fake stack would hide from the interpreter how deep it is.
ASAN_OPTIONS=detect_stack_use_after_return=0:detect_leaks=0 SWIFT_BACKTRACE=enable=no FUZZ_TARGET=$target FUZZ_SOURCE=Fuzz/Targets/$target.sx \
  "$out/fuzz" "$out/$target" "Fuzz/Corpus/$target" -max_total_time="$seconds" -detect_leaks=0 -timeout=20 -rss_limit_mb=3000 -max_len=4096 -artifact_prefix="$out/"
