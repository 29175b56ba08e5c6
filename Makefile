# make run    builds and starts the server with its small shop
# make test   Swift tests, conformance suites, system tests
# Both install what is missing on a Debian machine, and need Swift 6.3 or newer.

SX_PORT ?= 8080
SX_PROBE ?= /tmp/sx.probe
PYTHON := .build/python/bin/python

.PHONY: run build test test-swift test-suites test-system test-stress test-stressed reference bench swift readline browser promtool python clean

run: build
	.build/release/sx serve --port $(SX_PORT) --probe $(SX_PROBE)

# Static: the program starts in half the time, and runs on machines without Swift. At a fixed address on Linux: nothing to relocate, which
# is a tenth of the start and 4 MB of memory. Without its 33,000 symbols in the dynamic table, which the runtime searches at each start: another tenth.
FIXED := $(shell [ "$$(uname)" = Linux ] && echo -Xlinker -no-pie -Xlinker --no-export-dynamic -Xlinker -L.build/static)
# Libraries that come as archives are linked in: the linker takes them from the first folder that has them, and there they are nothing else.
# What is left to look up at each start is the C library; it saves 1.5 MB, too. The archive of libgcc_s has another name.
ARCHIVES := stdc++ readline tinfo z

# Every instruction of the interpreter ends with its own jump to the next one, if the compiler's back end knows the options: see docs/speed.md.
DISPATCH := -enable-tail-merge=0 -disable-early-taildup -tail-dup-pred-size=1000 -tail-dup-succ-size=1000 -tail-dup-size=6 -tail-dup-placement-threshold=6
THREADED = $$(options="$(addprefix -Xllvm ,$(DISPATCH))"; ! echo | swiftc $$options -typecheck - 2>/dev/null || printf -- '-Xswiftc %s ' $$options)

build: swift readline
	@mkdir -p .build/static
	@for name in $(ARCHIVES); do archive=$$(clang -print-file-name=lib$$name.a); [ ! -f "$$archive" ] || ln -sf "$$archive" .build/static/; done
	@archive=$$(clang -print-file-name=libgcc_eh.a); [ ! -f "$$archive" ] || ln -sf "$$archive" .build/static/libgcc_s.a
	swift build -c release --static-swift-stdlib --product sx $(FIXED) $(THREADED) $$([ ! -f .build/static/libtinfo.a ] || echo -Xlinker -ltinfo)

test: swift readline browser promtool python
	swift build --build-tests
	$(MAKE) --no-print-directory test-swift test-system test-suites test-stressed

test-swift:
	timeout 900 swift test --skip-build

test-suites:
	.build/debug/sx test

test-system: browser promtool python
	SX=.build/debug/sx $(PYTHON) -m pytest -q Tests/System

# With a collection at every safepoint, which finds values that no root holds: the suites in which control and binding go odd ways.
STRESSED := assignment functions dynamic-wind continuations delimited coroutines errors parameters values promises scopes libraries \
  macros syntax-rules match records equality cycles chars

test-stressed:
	SX_GC_STRESS=1 .build/debug/sx test $(STRESSED)

# The same with every suite; some minutes, in a release build.
test-stress: build
	SX_GC_STRESS=1 .build/release/sx test

# The manual is made of the declarations: run this after every change of a primitive, a special form or a `;;;` comment, and commit the result.
reference: build
	.build/release/sx doc --markdown > docs/reference.md

bench: build
	Benchmarks/run.sh

swift:
	@command -v swift >/dev/null || { echo "Swift 6.3 or newer is needed: https://www.swift.org/install"; exit 1; }

readline:
	@[ -f /usr/include/readline/readline.h ] || $(call install,libreadline-dev)

browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || $(call install,chromium chromium-driver)

# Out of its package, which would also install a server and start it. Where it cannot be fetched, the tests that need it are skipped.
promtool:
	@command -v promtool >/dev/null || [ -x .build/promtool ] || { $(call extract,prometheus,usr/bin/promtool,.build/promtool); } \
	  || echo "promtool cannot be fetched: the tests with it are skipped"

python:
	@python3 -c 'import venv, ensurepip' 2>/dev/null || $(call install,python3-venv)
	@[ -x $(PYTHON) ] || python3 -m venv .build/python
	@$(PYTHON) -m pip install -q --disable-pip-version-check -r Tests/System/requirements.txt

clean:
	rm -rf .build

sudo := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
install = { $(sudo) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(sudo) apt-get install -y -qq $(1) >/dev/null; }
# A file of a Debian package, without installing it: package, path in it, where to.
extract = folder=$$(mktemp -d) && (cd $$folder && { apt-get download -qq $(1) || { $(sudo) apt-get update -qq && apt-get download -qq $(1); }; } >/dev/null 2>&1 \
  && dpkg-deb -x *.deb .) && mkdir -p $(dir $(3)) && install -m 755 $$folder/$(2) $(3) && rm -rf $$folder
