# The two commands on a fresh machine: `make run` and `make test`.
CARGO ?= cargo
MODULES := favorites temp-files backups cloud-storage common transfers
# And the modules that test the host from inside.
TESTERS := probe changing hostile
COMPONENTS := $(MODULES) $(TESTERS)
RUN_ARGS ?= --demo

.PHONY: all build modules components console client target run test test-tools client-tools test-clients test-console screenshots test-faults fuzz record-examples api-docs lint deny bench bench-transfer torture dist test-dist clean

all: build

# The modules as components with their code, and the page of the console, then the host with all of
# it inside.
build: modules console
	$(CARGO) build --release --locked --workspace --bin stowage

# The components, and the code of the built-in ones for every machine of this architecture. The build
# of the host puts both into the binary.
modules: components
	$(CARGO) build --release --locked --workspace --bin stowage-precompile
	target/release/stowage-precompile target/modules target/code

# Copies only what changed, so that the host is not built again for nothing. `transfers` uses the
# plain functions of other modules. In one build with them, cargo would give it their exports too. It
# comes first, because it leaves the other modules without their exports.
components: target
	$(CARGO) build --profile module --locked --target wasm32-wasip2 -p stowage-transfers
	$(CARGO) build --profile module --locked --target wasm32-wasip2 $(patsubst %,-p stowage-%,$(filter-out transfers,$(COMPONENTS)))
	@mkdir -p target/modules target/modules-test
	@for m in $(COMPONENTS); do \
		from=target/wasm32-wasip2/module/stowage_$$(echo $$m | tr - _).wasm; \
		case " $(TESTERS) " in *" $$m "*) to=target/modules-test/$$m.wasm;; *) to=target/modules/$$m.wasm;; esac; \
		cmp -s $$from $$to || cp $$from $$to; \
	done

# The page of the console, if npm is there or can be installed.
console:
	@.ci/console

# The compiler's target for components.
target:
	@rustup target list --installed 2>/dev/null | grep -qx wasm32-wasip2 || rustup target add wasm32-wasip2

# Start with the demo space; RUN_ARGS overrides.
run: build
	target/release/stowage serve $(RUN_ARGS)

# Unit tests, component tests in wasmtime, end-to-end tests of the real binary.
test: build test-tools test-clients test-console
	$(CARGO) test --release --locked --workspace

# Servers and programs of others that tests and benchmarks run. Without root and apt nothing happens, and the tests that
# need them say what they leave out.
test-tools:
	@.ci/test-tools
	@.ci/api-tools/install

# The TypeScript client as a package, in clients/typescript/dist. `npm run generate` there writes its
# types.
client: build client-tools
	cd clients/typescript && npm run --silent generate:check && npm run --silent build

# The clients against the real binary, in Node, in Chromium and in Python.
test-clients: build test-tools
	.ci/test-clients

# The console: its logic, and its pages in a headless browser against the real binary.
test-console: build test-tools
	.ci/test-console

# The pictures of the console in docs/img.
screenshots: build test-tools
	STOWAGE_SCREENSHOTS=1 .ci/test-console screenshots

# What the clients are built and tested with.
client-tools:
	@.ci/client-tools

# Many runs of downloads from a server that fails in every way, with a host that is killed.
test-faults: build
	STOWAGE_FAULT_RUNS=500 $(CARGO) test --release --locked --workspace --test e2e faults -- --nocapture

# Fuzzes one target or all of them with coverage: `make fuzz T=wal SECONDS=60`. docs/fuzzing.md lists the
# targets. What is found is kept in target/fuzz.
T ?= all
SECONDS ?= 60
fuzz: modules
	.ci/fuzz $(T) $(SECONDS)

# The recording of the documented examples, after a change of what the modules do.
record-examples: build
	STOWAGE_RECORD_EXAMPLES=1 $(CARGO) test --release --locked --workspace --test component the_recorded_examples

# The reference of the API, after a change of what modules serve or of their comments.
api-docs: build
	target/release/stowage api markdown > docs/api.md

# Formatting, the width of prose, and clippy for the host and for the components.
lint: components
	$(CARGO) fmt --all --check
	.ci/prose-width
	@if command -v npm >/dev/null; then .ci/client-tools && cd clients/typescript && npm run --silent lint; fi
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --release --locked --target wasm32-wasip2 $(COMPONENTS:%=-p stowage-%) -- -D warnings

# Licences, sources and advisories of the dependencies.
deny:
	.ci/deny

# Side by side with a bare hyper echo and with SQLite, as ratios.
bench: build
	$(CARGO) build --release --locked --workspace --bin bench --features stowage-tests/bench
	target/release/bench

# Downloads and the progress feed, side by side with curl, aria2c and rclone, as ratios.
bench-transfer: build test-tools
	$(CARGO) build --release --locked --workspace --bin bench-transfer --features stowage-tests/bench-transfer
	target/release/bench-transfer

# The checks of docs/reliability.md at length, for hours. It goes on where it was interrupted.
# CHECKS="R1 R2" runs only some.
torture: build test-tools
	$(CARGO) test --release --locked --workspace --no-run
	$(CARGO) build --release --locked --workspace --bin torture --features stowage-tests/torture
	target/release/torture $(addprefix --only ,$(CHECKS))

# What people install, in target/dist: a static binary as archive, .deb and OCI image, with checksums and
# an SBOM.
dist: modules console
	.ci/dist-tools
	.ci/dist

# Installs, starts, upgrades and removes it, in directories of their own. It needs root.
test-dist: dist
	.ci/test-dist

clean:
	$(CARGO) clean
