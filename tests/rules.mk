# How the lists of the Makefile become objects, programs and tests. Included by the Makefile only.

GEN_C := $(PROTO:%.proto=$(BUILD)/gen/%.pb-c.c)
GEN_INC := $(EMBEDDED:%=$(BUILD)/gen/%.inc)
GEN_O := $(GEN_C:$(BUILD)/gen/%.c=$(BUILD)/obj/gen/%.o)
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

COMMON_LIB := $(BUILD)/lib/libsetpay-common.a
# What the daemons are made of, for tests: everything but the files with main().
PARTS := $(CA_CLI) $(CAD) $(GATEWAY_BOOKS) $(GATEWAY_CLEARING) $(GATEWAY_NETWORK) $(GATEWAY_PAYMENT) $(GATEWAYD) $(GATEWAY_FILES) $(ISSUERSIM) $(MERCHANT_PAYMENT) \
         $(MERCHANT_STORE) $(MERCHANTD) $(WALLET) $(WALLETD) $(WALLET_CLI)
PARTS_LIB := $(BUILD)/lib/libsetpay-parts.a

PROGRAM_BINS := $(PROGRAMS:%=$(BUILD)/bin/%)
SCRIPT_BINS  := $(foreach s,$(SCRIPTS),$(BUILD)/bin/$(notdir $(s)))
SEED_FILES   := $(SHOP_SEED:merchant/store/seed/%=$(BUILD)/share/setpay/shop/%)
UNIT_BINS    := $(UNIT_TESTS:%=$(BUILD)/tests/%)
INTEGRATION_BINS := $(INTEGRATION_PROGRAMS:%=$(BUILD)/tests/integration/%)
LONG_BINS := $(LONG_PROGRAMS:%=$(BUILD)/tests/integration/%)
TOOL_BINS    := $(INTEGRATION_TOOLS:%=$(BUILD)/tests/integration/%)

# Formatting is for what people write.
FORMATTED := $(shell find common ca gateway merchant cardholder tests -name '*.[ch]' 2>/dev/null)
MAN_PAGES := $(wildcard docs/man/*.[1-8])
# For the second make of `test` and `demo`, unless the caller said how many jobs.
JOBS ?= $(shell nproc 2>/dev/null || echo 1)
other = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS)) BUILD=$(1)
again = +$(Q)$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

.PHONY: help build tests clean check suite test lint format asan tsan valgrind coverage check-headers crash races faults trade demo install deps gen
.SECONDARY:

help:
	@printf 'setpay %s\n\n' '$(VERSION)'
	@printf '  make %-14s %s\n' demo 'start everything in a temporary folder, one purchase from offer to settlement, who saw what' \
	  test 'every test but the long ones; ends with "N passed, N failed"' \
	  check 'most unit and integration tests, in short; three minutes (SETPAY_LONG=1: all their cases)' \
	  build 'programs into $(BUILD)/bin' \
	  deps 'what the build needs, from Debian' \
	  lint 'clang-tidy, cppcheck, formatting, layers, headers' \
	  format 'clang-format in place' \
	  fuzz 'fuzzing without an end; TARGET=name, SECONDS=n' \
	  mutants 'single edits to the code, and which test notices each; ONLY=name' \
	  vectors 'the test vectors, made anew: when the protocol changed' \
	  fuzz-seeds 'the seeds of fuzzing, made anew: when a message changed' \
	  reference 'docs/reference and docs/conformance.md, made from the code' \
	  crash 'all pairs of crashes in a purchase; hours, goes on where it was (SEED=, FRESH=1)' \
	  races 'races for one order, many more than the suite (SEED=, TRIES=)' \
	  faults 'purchases with faults at random on every line (SEED=, COUNT=)' \
	  trade 'days of trade with daemons killed at random (SEED=, COUNT=; SETPAY_LONG=1: as many as the suite)' \
	  bench 'what everything costs here, in minutes (QUICK=1: in seconds; ONLY=part, SHOPPERS=n)' \
	  asan 'the suite under AddressSanitizer and UBSan' \
	  tsan 'the suite under ThreadSanitizer' \
	  valgrind 'no leak in any daemon that has served 1,000 purchases and drained (PURCHASES=)' \
	  coverage 'which lines the suite runs, by folder, against what is asked of each' \
	  check-headers 'every header compiles alone, by gcc and by clang' \
	  install 'into PREFIX (DESTDIR honoured)' \
	  deb 'Debian packages into $(BUILD)/deb' \
	  deb-test 'the packages in a Debian of their own: install, pay, remove, purge (root, a network)' \
	  newcomer-test 'README, tutorial, first store, backup in a bare Debian, from a clone (root, a network)' \
	  clean 'remove $(BUILD)'

deps:
	$(Q)tests/deps.sh build

gen: $(GEN_C) $(GEN_INC)
build: $(PROGRAM_BINS) $(SCRIPT_BINS) $(SEED_FILES)

clean:
	rm -rf $(BUILD)

$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h: %.proto
	@mkdir -p $(dir $@)
	$(say) PROTOC $<
	@command -v protoc-c >/dev/null && pkg-config --exists $(PACKAGES_PC) || \
	  { echo 'packages are missing: "make deps" installs what the build needs' >&2; exit 1; }
	$(Q)protoc-c --c_out=$(BUILD)/gen -I. $<

# Generated code is not ours to warn about.
$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c
	@mkdir -p $(dir $@)
	$(say) CC $<
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -w -MMD -MP -c -o $@ $<

$(BUILD)/gen/%.inc: %
	@mkdir -p $(dir $@)
	$(say) EMBED $<
	$(Q)od -An -v -tx1 $< | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g' >$@.new && mv $@.new $@

$(BUILD)/obj/merchant/store/admin/multipart.o: ALL_CFLAGS += $(GMIME_CFLAGS)
$(BUILD)/obj/%.o: %.c | $(GEN_C) $(GEN_INC)
	@mkdir -p $(dir $@)
	$(say) CC $<
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# A name added to a list makes an object that make takes for intermediate: what it's missing from is
# made again because the list itself is newer.
$(COMMON_LIB): $(GEN_O) $(call obj,$(COMMON)) Makefile
	@mkdir -p $(dir $@)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)

$(PARTS_LIB): $(call obj,$(PARTS)) Makefile
	@mkdir -p $(dir $@)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)

# build/bin/NAME links NAME_MAIN (the file with main) with NAME_PARTS and the common library.
define program_rule
$(BUILD)/bin/$(1): $$(call obj,$$($(1)_MAIN)) $$(call obj,$$($(1)_PARTS)) $$(COMMON_LIB)
	@mkdir -p $$(dir $$@)
	$$(say) LD $$@
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(ALL_LDFLAGS) -o $$@ $$^ $$(PKG_LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

define script_rule
$(BUILD)/bin/$(notdir $(1)): $(1)
	@mkdir -p $$(dir $$@)
	$$(Q)install -m 755 $$< $$@
endef
$(foreach s,$(SCRIPTS),$(eval $(call script_rule,$(s))))

$(BUILD)/share/setpay/shop/%: merchant/store/seed/%
	@mkdir -p $(dir $@)
	$(Q)install -m 644 $< $@

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(call obj,$(TEST_SUPPORT)) $(PARTS_LIB) $(COMMON_LIB)
	@mkdir -p $(dir $@)
	$(say) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter-out %.a,$^) -Wl,--start-group $(PARTS_LIB) $(COMMON_LIB) -Wl,--end-group $(PKG_LIBS) -lcmocka

# What a command line has of its own is in no library.
$(BUILD)/tests/test_merchant_words: $(call obj,merchant/merchant_words.c)
$(BUILD)/tests/test_batch_file: $(call obj,gateway/audit_found.c)

# Integration tests that are programs: tests/integration/NAME.c, made in the same way.
$(BUILD)/tests/integration/%: $(BUILD)/obj/tests/integration/%.o $(call obj,$(TEST_SUPPORT)) $(PARTS_LIB) $(COMMON_LIB)
	@mkdir -p $(dir $@)
	$(say) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter-out %.a,$^) -Wl,--start-group $(PARTS_LIB) $(COMMON_LIB) -Wl,--end-group $(PKG_LIBS) -lcmocka

# make bench: tests/bench, made as integration tests are.
BENCH_BIN := $(BUILD)/tests/setpay-bench
$(BENCH_BIN): $(call obj,$(BENCH) $(TEST_SUPPORT)) $(PARTS_LIB) $(COMMON_LIB)
	@mkdir -p $(dir $@)
	$(say) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter-out %.a,$^) -Wl,--start-group $(PARTS_LIB) $(COMMON_LIB) -Wl,--end-group $(PKG_LIBS) -lcmocka -lm

# The test vectors, made anew: only when the protocol changes (docs/vectors.md).
VECTORS_BIN := $(BUILD)/tests/generate_vectors
$(VECTORS_BIN): $(call obj,tests/vectors/generate.c $(TEST_SUPPORT)) $(PARTS_LIB) $(COMMON_LIB)
	@mkdir -p $(dir $@)
	$(say) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter-out %.a,$^) -Wl,--start-group $(PARTS_LIB) $(COMMON_LIB) -Wl,--end-group $(PKG_LIBS) -lcmocka
.PHONY: vectors
vectors: $(VECTORS_BIN)
	$(Q)$(VECTORS_BIN) tests/vectors

# Fuzz targets. Made in a build folder of their own, by clang (FUZZ_MAKE): every object is
# instrumented. tests/fuzz/fuzz.sh makes and runs them.
FUZZ_BINS := $(FUZZ_TARGETS:%=$(BUILD)/targets/%)
FUZZ_LIB := $(BUILD)/lib/libsetpay-fuzz.a
FUZZ_COMMON := $(call obj,tests/fuzz/fuzz.c tests/fuzz/mutate.c tests/fuzz/talk.c)
$(FUZZ_LIB): $(call obj,$(FUZZ_PARTS)) Makefile
	@mkdir -p $(dir $@)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)
$(BUILD)/targets/rpc: ALL_LDFLAGS += -Wl,--wrap=setpay_http_client_post
$(BUILD)/targets/%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(FUZZ_COMMON) $(FUZZ_LIB) $(COMMON_LIB)
	@mkdir -p $(dir $@)
	$(say) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $(filter-out %.a,$^) -Wl,--start-group $(FUZZ_LIB) $(COMMON_LIB) -Wl,--end-group $(PKG_LIBS)
.PHONY: fuzz-targets fuzz
fuzz-targets: $(FUZZ_BINS)

# Without an end: make fuzz [TARGET=name] [SECONDS=n]
fuzz:
	$(Q)tests/deps.sh build test
	$(Q)BUILD=$(BUILD) FUZZ_SECONDS=$(SECONDS) tests/fuzz/fuzz.sh --open $(TARGET)

# Single edits to the code, each of which a test must notice: make mutants [ONLY=name]. Long.
.PHONY: mutants
mutants:
	$(Q)tests/deps.sh build test
	$(Q)BUILD=$(BUILD) CC='$(CC)' tests/mutants/run.sh $(ONLY)

# What fuzzing starts from, made anew: only when a target or the protocol changes.
SEEDS_BIN := $(BUILD)/tests/fuzz_seeds
$(SEEDS_BIN): $(call obj,tests/fuzz/seeds.c tests/fuzz/seeds_pki.c tests/vectors/envelopes.c $(TEST_SUPPORT)) $(PARTS_LIB) $(COMMON_LIB)
	@mkdir -p $(dir $@)
	$(say) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter-out %.a,$^) -Wl,--start-group $(PARTS_LIB) $(COMMON_LIB) -Wl,--end-group $(PKG_LIBS) -lcmocka
.PHONY: fuzz-seeds
fuzz-seeds: $(SEEDS_BIN)
	$(Q)$(SEEDS_BIN) tests/fuzz

# The pages of docs/ that are made from the code (tests/docs/make.sh); tests/docs/pages.sh compares.
REFERENCE_BIN := $(BUILD)/tests/reference
$(REFERENCE_BIN): $(call obj,tests/docs/reference.c tests/docs/reference_life.c tests/docs/reference_messages.c tests/support/test_life.c) $(PARTS_LIB) $(COMMON_LIB)
	@mkdir -p $(dir $@)
	$(say) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter-out %.a,$^) -Wl,--start-group $(PARTS_LIB) $(COMMON_LIB) -Wl,--end-group $(PKG_LIBS)
.PHONY: reference
reference: build $(REFERENCE_BIN)
	$(Q)BUILD=$(BUILD) CC='$(CC)' tests/docs/make.sh docs

# Unit tests and integration programs, built and not run.
tests: $(UNIT_BINS) $(INTEGRATION_BINS) $(LONG_BINS) $(TOOL_BINS) $(REFERENCE_BIN) $(BENCH_BIN)

# The suite, and what of it tells soonest that something broke. RULE_TESTS: checks of the tree itself,
# which only `make test` adds. SETPAY_LONG=1: what walks through many cases (crashes, races, faults,
# other people's libraries) takes all of them, as it does in `make test`, where otherwise it takes a
# few of each kind.
suite check: build tests
	$(Q)BUILD=$(BUILD) WARNINGS='$(WARNINGS)' LAST='$(if $(filter suite,$@),$(LAST_TEST))' tests/run.sh $(RULE_TESTS) $(INTEGRATION_BINS) \
	  $(INTEGRATION_TESTS) $(if $(filter suite,$@),$(LONG_BINS) $(LONG_TESTS)) $(UNIT_BINS)

# What these two need may only just have been installed, while pkg-config was asked when this make
# read its files: so a second make does the work. clang's build is long on a slow machine.
test:
	$(Q)tests/deps.sh build test
	$(again) build tests
	$(Q)TIMEOUT=$${TIMEOUT:-1200} SETPAY_LONG=1 $(MAKE) --no-print-directory suite \
	  RULE_TESTS='tests/clang.sh tests/fuzz/fuzz.sh tests/headers.sh tests/layers.sh tests/mutants/apply.sh'

demo:
	$(Q)tests/deps.sh build
	$(again) build
	$(Q)$(BUILD)/bin/setpay-sandbox demo

# Every crash point and all pairs of them, which takes hours. The pairs that were walked stand in a
# file, so that the next run goes on with the others; FRESH=1 forgets them.
CRASH_DONE := $(BUILD)/crash-pairs.done
crash:
	$(Q)tests/deps.sh build test
	$(again) build tests
	$(if $(FRESH),$(Q)rm -f '$(CRASH_DONE)')
	$(Q)BUILD=$(BUILD) SETPAY_LONG=1 SEED='$(SEED)' PAIRS='$(or $(PAIRS),all)' ONLY='$(ONLY)' DONE='$(CRASH_DONE)' \
	  $(BUILD)/tests/integration/crash_points

races:
	$(Q)tests/deps.sh build test
	$(again) build tests
	$(Q)BUILD=$(BUILD) SEED='$(SEED)' TRIES='$(or $(TRIES),20000)' $(BUILD)/tests/integration/races

# The longer mix of tests/integration/faults.c; `make test` has its whole table and a short one.
faults:
	$(Q)tests/deps.sh build test
	$(again) build tests
	$(Q)BUILD=$(BUILD) SEED='$(SEED)' CASES=no COUNT='$(or $(COUNT),1000)' \
	  $(BUILD)/tests/integration/faults

# A few sales, as `make check` has them; with SETPAY_LONG=1 those of `make test`.
trade:
	$(Q)tests/deps.sh build test
	$(again) build tests
	$(Q)BUILD=$(BUILD) SEED='$(SEED)' COUNT='$(COUNT)' $(BUILD)/tests/integration/trade

# Into BUILD/bench; docs/reference/bench.md.
.PHONY: bench
bench:
	$(Q)tests/deps.sh build test
	$(again) build $(BENCH_BIN)
	$(Q)BUILD=$(BUILD) $(BENCH_BIN) $(if $(QUICK),--quick) $(if $(ONLY),--only '$(ONLY)') \
	  $(if $(SHOPPERS),--shoppers '$(SHOPPERS)')

# The suite as another build, in a folder of its own. CCACHE=ccache serves clang as well.
asan:
	$(Q)tests/deps.sh build test
	+$(Q)TIMEOUT=$${TIMEOUT:-1800} SETPAY_LONG=$${SETPAY_LONG-1} \
	  $(call other,build/asan) suite SAN=address,undefined

# Casts inside OpenSSL's macros are no concern of ours (tests/clang.sh). Where the kernel moves
# mappings by 32 bits, some end up where the sanitiser has its own: there without moving them.
TSAN_ASLR = $(shell [ "$$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -le 28 ] || echo setarch -R)
tsan:
	$(Q)tests/deps.sh build test
	+$(Q)TIMEOUT=$${TIMEOUT:-3600} $(TSAN_ASLR) \
	  $(call other,build/tsan) suite SAN=thread CC='$(CCACHE) clang' CFLAGS='$(CFLAGS) -Wno-cast-qual'

# What each line of tests/coverage.sh asks for stands there.
coverage:
	$(Q)tests/deps.sh build test coverage
	$(Q)rm -rf build/coverage/test-logs
	$(Q)find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	+$(Q)TIMEOUT=$${TIMEOUT:-1200} $(call other,build/coverage) suite COVERAGE=1
	$(Q)BUILD=build/coverage tests/coverage.sh

valgrind:
	$(Q)tests/deps.sh build valgrind
	$(again) build
	$(Q)BUILD=$(BUILD) PURCHASES='$(or $(PURCHASES),1000)' tests/valgrind.sh

check-headers:
	$(Q)tests/deps.sh build test
	$(again) gen
	$(Q)BUILD=$(BUILD) WARNINGS='$(WARNINGS)' tests/run.sh tests/headers.sh

lint:
	$(Q)tests/deps.sh build lint
	$(again) gen
	$(Q)BUILD=$(BUILD) WARNINGS='$(WARNINGS)' tests/lint.sh

format:
	$(Q)clang-format -i $(FORMATTED)

# The sandbox and its issuer simulator are installed too: who writes a store against setpay needs
# something to try it on, and neither is a danger on a machine that takes real payments: the
# simulator knows published test cards alone and listens on loopback alone.
install: build
	$(Q)BUILD='$(BUILD)' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' SYSCONFDIR='$(SYSCONFDIR)' UNITDIR='$(UNITDIR)' \
	  PROGRAMS='$(PROGRAMS) $(filter-out %-demo,$(notdir $(SCRIPTS)))' PAGES='$(MAN_PAGES)' \
	  common/packaging/install.sh

# Debian packages into build/deb, and a root of Debian in which they are installed, used and removed.
.PHONY: deb deb-test
deb:
	$(Q)tests/deps.sh build deb
	$(Q)VERSION='$(VERSION)' OUT='$(BUILD)/deb' common/packaging/deb.sh
deb-test: deb
	$(Q)tests/deps.sh deb-test
	$(Q)BUILD='$(BUILD)' tests/package.sh

# What is committed, as somebody who has just found it.
.PHONY: newcomer-test
newcomer-test:
	$(Q)tests/deps.sh newcomer
	$(Q)BUILD='$(BUILD)' tests/newcomer.sh

# One test alone: make check-NAME
check-%: $(BUILD)/tests/% build
	$(Q)BUILD=$(BUILD) tests/run.sh $<

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
