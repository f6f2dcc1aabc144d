# make demo   shows everything at once on this machine: cameras, box, broker, ward post, alerts
#             VIDEO=path  your own video   MODEL=path  a detection network   SECONDS=60 (0: until Ctrl-C)
# make test   format, lints, documentation and all tests
# make faults kill -9, power cuts, full and failing disks: the whole suite, minutes long, as root; prints its figures
# make faults-alerts  boxes, broker and ward post, all real, under kill -9, stalls and links that break: nothing lost, nothing twice;
#             seven days without a broker; 64 kbit/s with loss. Minutes long, as root; prints its figures   WARDWATCH_SEED=1
# make fuzz   changed bytes against everything that reads what cameras send: descriptions, replies, packets, NAL units   MINUTES=5
# make bench  what the record path costs, beside what other programs need   CAMERAS=1,4,8,16 BENCH_SECONDS=30
# make bench-detect  what looking costs and misses: networks beside onnxruntime (from PyPI), the pipeline on the clips of ../shared
#                    RUNS=20   CAMERAS=1,4,8 BENCH_SECONDS=30   MODEL=path
# make bench-rules   what the street's rules say of staged scenes, and in how many hours of a quiet street: hits, misses, false alarms
#                    QUIET_HOURS=24   ONLY=sabotage   MODEL=path   PHOTOGRAPHS=../shared/datasets
# make pictures   the pictures of the rules in docs/pictures, drawn anew
# make page-pictures  the pictures of the duty officers' page in docs/page, taken anew
# make page-axe   the duty officers' page before the accessibility checker axe-core (npm)
# make bench-track  how well subjects are followed on crowded drawn streets, beside ByteTrack (from PyPI), and counted on the clips of ../shared
#                    MODEL=path
# make bench-real   how well the box sees on the real footage of ../shared, several networks side by side
#                    MODELS=street-nano,path   PART=sets|tracks|clips|weather|quiet   HOURS=1   CARD=1: into models/README.md
# make bench-alerts  how long alerts take from boxes to the ward post's disk and back   BOXES=1,10,100 BENCH_SECONDS=30 RATE=1
# make bench-page  the duty officers' page under load and faults, in a real browser: arrival, a storm, races, kills, blindness, a hidden tab,
#             a flood; some 45 minutes, 30 of them the hidden tab; prints its figures   HIDDEN_MINUTES=30   ONLY=storm
# make amd64  what is shipped, for Debian 12: TARGET/dist/ARCH/wardwatch (the box) and wardpost (the ward post), with TARGET
# make arm64  the folder of $CARGO_TARGET_DIR or target/. amd64 is built by this machine's toolchain and wants Debian 12;
# make armhf  the others by Debian's cross compilers and Rust, without a container, on Debian 12 (x86-64, root for setting up).
#             All hold the sizes against deploy/sizes.txt
# make cross-arm64, cross-armhf  the same with `cross` and a container engine (cross.toml): TARGET/cross-container/TRIPLE/dist/
# make test-arm64  tests, network and demonstration as ARM programs in a Debian 12 of ARM, under QEMU; root   PARTS="detector demo"
# make test-armhf  the same of 32 bits
# make deb     packages of box and post for Debian 12 and 13, in $(TARGET)/dist/ARCH/   ARCH=amd64|arm64|armhf
#              BINARIES=folder  of programs that are built already
# make test-system  the packages in Debian 12 and 13: installed, booted, hung, killed, upgraded, downgraded, purged, with a camera and a
#              ward post outside. Minutes long, as root; prints its figures   ARCH=arm64: a box of it on Debian 12, under QEMU
# All install what is missing (scripts/packages*.debian) and need a Rust toolchain, but for cross builds, which install Debian's.

CARGO ?= cargo
SECONDS ?= 60
TARGET := $(or $(CARGO_TARGET_DIR),target)
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
RUN_TESTS := $(CARGO) $(if $(NEXTEST),nextest run,test)

comma := ,
CAMERAS ?= 1,4,8,16
BENCH_SECONDS ?= 30
RUNS ?= 20

# This workspace's own code as it is shipped, on the dependencies of the tests, which are not compiled a second time: checks and a low
# optimisation level make a network's kernels three times slower.
CRATES := wardwatch $(notdir $(wildcard crates/*))
SHIPPED := $(foreach crate,$(CRATES),$(foreach set,opt-level=3 debug-assertions=false overflow-checks=false,--config profile.dev.package.$(crate).$(set)))

# Where time is measured, dependencies that run all the time are as they are shipped, too; they are compiled once more for that.
COMPUTING := glib gio gstreamer gstreamer-app gstreamer-video rusqlite rustix jiff serde_json base64 tokio rustls tokio-rustls \
	rumqttc-core-next rumqttc-v4-next tract-core tract-onnx-opl
MEASURED := $(foreach crate,$(COMPUTING),--config profile.dev.package.$(crate).opt-level=3)

.PHONY: demo test fuzz faults faults-alerts bench bench-detect bench-rules pictures page-pictures page-axe bench-track bench-real bench-alerts bench-page setup format lint documentation run-tests schemas units \
	amd64 arm64 armhf cross-arm64 cross-armhf test-arm64 test-armhf deb test-system

demo: setup
	@test -e $(TARGET)/debug/wardwatch || echo "The first build compiles some 280 crates: about 8 minutes on 2 cores."
	$(CARGO) build --locked --workspace --bins $(SHIPPED)
	$(TARGET)/debug/wardwatch demo --seconds $(SECONDS) \
		$(if $(VIDEO),--video "$(VIDEO)") $(if $(MODEL),--model "$(MODEL)")

# One after the other: each of them uses all cores.
test: setup
	@scripts/setup packages.test.debian
	$(MAKE) format
	$(MAKE) lint
	$(MAKE) documentation
	$(MAKE) units
	$(MAKE) run-tests

# One after the other: they measure.
FAULTS := faults:: daemon::service::a_thread_that_hangs clips::player:: reconcile::large:: \
	retention::a_full_disk_for_a_day_of_eight_cameras
FAULTS_ALERTS := faults::ward:: faults::outage:: faults::thin:: faults::courier:: daemon::ports::
faults: WHICH = $(FAULTS) $(foreach other,$(filter faults::%,$(FAULTS_ALERTS)),--skip $(other))
faults-alerts: WHICH = $(FAULTS_ALERTS)
faults faults-alerts:
	@scripts/setup packages.debian packages.test.debian packages.faults.debian
	@$(CARGO) build --locked --workspace --bins
	@WARDWATCH_FAULTS=full WARDWATCH_TEST_SEGMENTS=500000 \
		$(CARGO) test --locked --test it -- $(WHICH) --nocapture --test-threads=1 2>&1 \
		| tee $(TARGET)/$@.log | sed -un 's/^\(test [^ ]*\) .*/\1/p'
	@awk -F': ' -f scripts/figures.awk $(TARGET)/$@.log
	@grep -q '^test result: ok' $(TARGET)/$@.log \
		|| { tail -n 40 $(TARGET)/$@.log; echo "$@: a promise is broken; more in $(TARGET)/$@.log" >&2; exit 1; }

MINUTES ?= 5
fuzz: setup
	scripts/fuzz $(MINUTES) "$$($(CARGO) test --locked --package camera --lib --no-run 2>&1 | tee /dev/stderr | sed -n 's/^ *Executable.*(\(.*\))$$/\1/p')"

bench:
	@scripts/setup packages.debian packages.faults.debian
	$(CARGO) bench --locked --profile dev $(SHIPPED) $(MEASURED) --bench store -- --cameras $(CAMERAS) --seconds $(BENCH_SECONDS) --others

# The daemon's share of the machine is measured: nothing else should run.
BENCH_DETECT := CARGO_TARGET_DIR=$(TARGET) $(CARGO) bench --locked --profile dev $(SHIPPED) $(MEASURED) --bench detect --
bench-detect:
	@scripts/setup packages.debian packages.faults.debian
	$(BENCH_DETECT) --part inference --runs $(RUNS)
	$(BENCH_DETECT) --part pipeline --seconds $(BENCH_SECONDS) \
		$(if $(filter 1$(comma)4$(comma)8$(comma)16,$(CAMERAS)),,--cameras $(CAMERAS)) $(if $(MODEL),--model "$(MODEL)")

# What the street's rules say of staged scenes and of a quiet street. QUIET_HOURS=24  ONLY=the beginning of a scenario's name
# PHOTOGRAPHS: a folder of datasets; subjects cut out of them take the place of drawn ones in the scenes.
# CAST: 1, 2, ...: the same scenes with other people, machines, houses and chance traffic than those of the tuning (0).
QUIET_HOURS ?= 24
BENCH_RULES := CARGO_TARGET_DIR=$(TARGET) $(CARGO) bench --locked --profile dev $(SHIPPED) --bench rules --
bench-rules: setup
	$(BENCH_RULES) $(if $(ONLY),--only "$(ONLY)") $(if $(MODEL),--model "$(MODEL)") \
		$(if $(PHOTOGRAPHS),--photographs "$(PHOTOGRAPHS)") $(if $(CAST),--cast $(CAST))
	$(BENCH_RULES) --quiet $(QUIET_HOURS) $(if $(MODEL),--model "$(MODEL)")

# Pictures of the rules in docs/, out of the staged scenes.
pictures: setup
	$(BENCH_RULES) --pictures docs/pictures

# Pictures of the duty officers' page in docs/, out of a real browser.
page-pictures: setup
	@scripts/setup packages.test.debian
	WARDPOST_PAGE_PICTURES=$(CURDIR)/docs/page $(CARGO) test --locked --package wardpost --test page -- \
		$(foreach without,arrival blind hidden kills races storm,--skip load::$(without))

# The page before axe-core, from npm.
page-axe: setup
	@scripts/setup packages.test.debian
	npm install --silent --prefix $(TARGET)/axe axe-core@4
	WARDPOST_AXE=$(abspath $(TARGET))/axe/node_modules/axe-core/axe.min.js \
		$(CARGO) test --locked --package wardpost --test page -- an_accessibility_checker --nocapture

BENCH_TRACK := CARGO_TARGET_DIR=$(TARGET) $(CARGO) bench --locked --profile dev $(SHIPPED) --bench track --
bench-track: setup
	$(BENCH_TRACK) $(if $(MODEL),--model "$(MODEL)")
	$(BENCH_TRACK) --count $(if $(MODEL),--model "$(MODEL)")

# MODELS: names or paths, with commas between them. HOURS: simulated ones of quiet footage, for each network, without and with a tree.
BENCH_REAL := CARGO_TARGET_DIR=$(TARGET) $(CARGO) bench --locked --profile dev $(SHIPPED) --bench real --
bench-real: setup
	$(BENCH_REAL) $(if $(MODELS),--models "$(MODELS)") $(if $(PART),--part $(PART)) $(if $(HOURS),--hours $(HOURS)) $(if $(CARD),--card)

# RATE: alerts a second of each box; 0 for as fast as they are acknowledged.
BOXES ?= 1,10,100
RATE ?= 1
bench-alerts: setup
	$(CARGO) build --locked --workspace --bins $(SHIPPED) $(MEASURED)
	$(CARGO) bench --locked --profile dev $(SHIPPED) $(MEASURED) --bench alerts -- \
		--boxes $(BOXES) --seconds $(BENCH_SECONDS) --rate $(RATE)

# The tests of the page under load, with their full counts.
HIDDEN_MINUTES ?= 30
bench-page: setup
	@scripts/setup packages.test.debian
	@WARDPOST_LOAD=full WARDPOST_HIDDEN_MINUTES=$(HIDDEN_MINUTES) \
		$(CARGO) test --locked --package wardpost --test page -- load::$(ONLY) --nocapture --test-threads=1 2>&1 \
		| tee $(TARGET)/$@.log | sed -un 's/^\(test [^ ]*\) .*/\1/p'
	@awk -F': ' -f scripts/figures.awk $(TARGET)/$@.log
	@grep -q '^test result: ok' $(TARGET)/$@.log \
		|| { tail -n 40 $(TARGET)/$@.log; echo "$@: a promise is broken; more in $(TARGET)/$@.log" >&2; exit 1; }

amd64: setup
	scripts/cross/build amd64

arm64 armhf:
	scripts/cross/build $@

# Tests of the architecture: which, scripts/cross/test says.
test-arm64 test-armhf:
	scripts/cross/test $(@:test-%=%) $(PARTS)

CROSS = CROSS_CONFIG=cross.toml CARGO_TARGET_DIR=$(TARGET)/cross-container cross build --locked --profile dist
cross-arm64: TRIPLE = aarch64-unknown-linux-gnu
cross-armhf: TRIPLE = armv7-unknown-linux-gnueabihf
cross-arm64 cross-armhf:
	$(CROSS) --target $(TRIPLE) --package wardwatch --no-default-features --features box
	$(CROSS) --target $(TRIPLE) --package wardpost

# Packages. Debian's name of the architecture; the programs are those of `make ARCH`, unless BINARIES has them.
ARCH ?= $(shell dpkg --print-architecture)
BINARIES ?= $(TARGET)/dist/$(ARCH)
deb: $(if $(filter file,$(origin BINARIES)),$(ARCH))
	scripts/deb/build $(ARCH) $(BINARIES)

# As root. Roots of Debian are made once, below $(TARGET)/system.
FOREIGN := $(filter-out $(shell dpkg --print-architecture),$(ARCH))
test-system: deb
	@scripts/setup packages.debian packages.system.debian $(if $(FOREIGN),packages.cross.debian)
	@$(if $(FOREIGN),scripts/cross/emulation $(ARCH))
	@WARDWATCH_SYSTEM=$(abspath $(BINARIES)) WARDWATCH_SYSTEM_ARCH=$(ARCH) \
		$(CARGO) test --locked --test it -- system::$(if $(FOREIGN),life::a_box_lives_on_debian_12) --nocapture --test-threads=1 2>&1 \
		| tee $(TARGET)/$@.log | sed -un 's/^\(test [^ ]*\) .*/\1/p'
	@awk -F': ' -f scripts/figures.awk $(TARGET)/$@.log
	@grep -q '^test result: ok' $(TARGET)/$@.log \
		|| { tail -n 40 $(TARGET)/$@.log; echo "$@: a promise is broken; more in $(TARGET)/$@.log" >&2; exit 1; }

setup:
	@scripts/setup

format:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --package wardwatch --no-default-features --features box --lib --bins -- -D warnings

documentation:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items

# How much the services leave open, at most 1.5 (in tenths here); the tests hold the units against systemd, too.
units: setup
	@for unit in systemd/*.service; do \
		found=$$(systemd-analyze security --no-pager --offline=true --threshold=15 $$unit) || { echo "$$found" >&2; exit 1; }; \
		echo "$$found" | sed -n 's/^.*Overall exposure/exposure/p'; \
	done

run-tests:
	$(RUN_TESTS) --locked --workspace

# Writes the JSON Schemas in deploy/ anew; the tests check that they are what the code says.
schemas:
	WARDWATCH_WRITE_SCHEMAS=1 $(CARGO) test --quiet --workspace the_checked_in_schema
