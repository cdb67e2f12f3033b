# How the lists of the Makefile become objects, programs and tests. Included by the Makefile only.

GEN_C := $(PROTO:%.proto=$(BUILD)/gen/%.pb-c.c)
GEN_O := $(GEN_C:$(BUILD)/gen/%.c=$(BUILD)/obj/gen/%.o)
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

COMMON_LIB := $(BUILD)/lib/libsetpay-common.a
# What the daemons are made of, for tests: everything but the files with main().
PARTS := $(CA_CLI) $(GATEWAY_NETWORK) $(GATEWAY_PAYMENT) $(GATEWAYD) $(ISSUERSIM) $(MERCHANT_PAYMENT) \
         $(MERCHANT_STORE) $(MERCHANTD) $(WALLET) $(WALLETD)
PARTS_LIB := $(BUILD)/lib/libsetpay-parts.a

PROGRAM_BINS := $(PROGRAMS:%=$(BUILD)/bin/%)
SCRIPT_BINS  := $(foreach s,$(SCRIPTS),$(BUILD)/bin/$(notdir $(s)))
UNIT_BINS    := $(UNIT_TESTS:%=$(BUILD)/tests/%)
INTEGRATION_BINS := $(INTEGRATION_PROGRAMS:%=$(BUILD)/tests/integration/%)

.PHONY: help build clean check test lint format asan demo install deps gen
.SECONDARY:

help:
	@printf 'setpay %s\n\n' '$(VERSION)'
	@printf '  make %-9s %s\n' demo 'start everything in a temporary folder, make one purchase, show who saw what' \
	  test 'every test but the long ones; ends with "N passed, N failed"' \
	  check 'unit and integration tests only' \
	  build 'programs into $(BUILD)/bin' \
	  lint 'clang-tidy, cppcheck, formatting, layers' \
	  format 'clang-format in place' \
	  asan 'the suite under AddressSanitizer and UBSan' \
	  install 'into PREFIX (DESTDIR honoured)' \
	  clean 'remove $(BUILD)'

deps:
	$(Q)tests/deps.sh build

gen: $(GEN_C)
build: $(PROGRAM_BINS) $(SCRIPT_BINS)

clean:
	rm -rf $(BUILD)

$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h: %.proto
	@mkdir -p $(dir $@)
	$(say) PROTOC $<
	$(Q)protoc-c --c_out=$(BUILD)/gen -I. $<

# Generated code is not ours to warn about.
$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c
	@mkdir -p $(dir $@)
	$(say) CC $<
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -w -MMD -MP -c -o $@ $<

$(BUILD)/obj/%.o: %.c | $(GEN_C)
	@mkdir -p $(dir $@)
	$(say) CC $<
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(COMMON_LIB): $(GEN_O) $(call obj,$(COMMON))
	@mkdir -p $(dir $@)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

$(PARTS_LIB): $(call obj,$(PARTS))
	@mkdir -p $(dir $@)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

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

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(call obj,$(TEST_SUPPORT)) $(PARTS_LIB) $(COMMON_LIB)
	@mkdir -p $(dir $@)
	$(say) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter-out %.a,$^) -Wl,--start-group $(PARTS_LIB) $(COMMON_LIB) -Wl,--end-group $(PKG_LIBS) -lcmocka

# Integration tests that are programs: tests/integration/NAME.c, made in the same way.
$(BUILD)/tests/integration/%: $(BUILD)/obj/tests/integration/%.o $(call obj,$(TEST_SUPPORT)) $(PARTS_LIB) $(COMMON_LIB)
	@mkdir -p $(dir $@)
	$(say) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter-out %.a,$^) -Wl,--start-group $(PARTS_LIB) $(COMMON_LIB) -Wl,--end-group $(PKG_LIBS) -lcmocka

check: build $(UNIT_BINS) $(INTEGRATION_BINS)
	$(Q)BUILD=$(BUILD) tests/run.sh $(UNIT_BINS) $(INTEGRATION_BINS) $(INTEGRATION_TESTS)

# One test alone: make check-NAME
check-%: $(BUILD)/tests/% build
	$(Q)BUILD=$(BUILD) tests/run.sh $<

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
