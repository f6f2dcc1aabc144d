# make demo   shows everything at once on this machine: cameras, box, broker, alerts
#             VIDEO=path  your own video   MODEL=path  a detection network   SECONDS=60
# make test   format, lints, documentation and all tests
# Both install what is missing (scripts/packages.debian) and need a Rust toolchain.

CARGO ?= cargo
SECONDS ?= 60
TARGET := $(or $(CARGO_TARGET_DIR),target)
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
RUN_TESTS := $(CARGO) $(if $(NEXTEST),nextest run,test)

.PHONY: demo test setup format lint documentation run-tests schemas

demo: setup
	$(CARGO) build --bin wardwatch
	$(TARGET)/debug/wardwatch demo --seconds $(SECONDS) \
		$(if $(VIDEO),--video "$(VIDEO)") $(if $(MODEL),--model "$(MODEL)")

# One after the other: each of them uses all cores.
test: setup
	$(MAKE) format
	$(MAKE) lint
	$(MAKE) documentation
	$(MAKE) run-tests

setup:
	@scripts/setup

format:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features --lib --bins -- -D warnings

documentation:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

run-tests:
	$(RUN_TESTS) --locked

# Writes the JSON Schemas in deploy/ anew; the tests check that they are what the code says.
schemas:
	WARDWATCH_WRITE_SCHEMAS=1 $(CARGO) test --quiet the_checked_in_schema
