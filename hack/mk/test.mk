# Tests in C: unit, sanitizers, torture, constant time, fuzz. DIR=pkg/x narrows to one folder.
FOLDERS := pkg/base pkg/kmsg pkg/kube pkg/http pkg/bhttp pkg/pre pkg/pre/vectors pkg/envelope crds pkg/protocol controller agent keeper cli lib sim
DIR ?= $(FOLDERS)
row = $(notdir $(patsubst %/,%,$(dir $(1))))
binaries = $(foreach d,$(DIR),$(patsubst %.c,$(B)/test/%,$(sort $(wildcard $(d)/*_$(1).c))))
UNIT = $(call binaries,test)
TORTURE = $(call binaries,torture)
CTIME = $(call binaries,ctime)

# One rule per test program: its own folder's row of libs.mk says what it links.
define test_rule
$(B)/test/$(1:.c=): $(B)/obj/$(1:.c=.o) $$(call archives,$$(or $$(TEST_NEED_$(call row,$(1))),$$(NEED_$(call row,$(1)))))
	@mkdir -p $$(@D)
	$(say) LD $$@
	$(Q)$(CC) $(LDFLAGS) -o $$@ $$^ $$(SYS_$(call row,$(1))) -lcmocka
endef
TEST_SOURCES := $(foreach d,$(FOLDERS),$(wildcard $(d)/*_test.c $(d)/*_torture.c $(d)/*_ctime.c $(d)/*_bench.c))
$(foreach t,$(TEST_SOURCES),$(eval $(call test_rule,$(t))))

##@ Test it
.PHONY: unit asan torture ctime
unit: $(UNIT) ## Unit tests; DIR=pkg/pre for one folder
	hack/test/run $^

torture: $(TORTURE) ## Every allocation of ours failed in turn
	hack/test/run $^

ctime: $(CTIME) ## Constant-time runs under valgrind, secrets marked undefined
	hack/test/run --valgrind $^

SIM_SEEDS ?= 3000
.PHONY: sim
sim: $(B)/test/sim/world_test ## The simulated world, SIM_SEEDS histories (3000) from SIM_FIRST on
	SIM_SEEDS=$(SIM_SEEDS) SIM_FIRST=$(or $(SIM_FIRST),1) $<

asan: ## Unit and torture tests under address and undefined sanitizers
	$(MAKE) B=$(B)/asan SAN=address,undefined DIR="$(DIR)" unit torture

# Fuzz targets run their corpus and FUZZ_SECONDS of new inputs each.
FUZZ_SECONDS ?= 10
FUZZ = $(foreach d,$(DIR),$(patsubst %.c,$(B)/fuzz/%,$(sort $(wildcard $(d)/*_fuzz.c))))
FUZZ_SOURCES := $(foreach d,$(FOLDERS),$(wildcard $(d)/*_fuzz.c))
FUZZ_SANITIZE := address,undefined
FUZZ_FLAGS := -std=gnu17 -O1 -g -fno-sanitize-recover=all -DBASE_SANITIZED=1 -w
# Compiled once for all targets: every file instrumented, the engine linked at the end.
$(B)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)clang $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,$(FUZZ_SANITIZE) -MMD -MP -c -o $@ $<

define fuzz_rule
$(B)/fuzz/$(1:.c=): $(B)/fuzz/obj/$(1:.c=.o) $$(patsubst %.c,$(B)/fuzz/obj/%.o,$$(foreach a,$$(or $$(FUZZ_NEED_$(call row,$(1))),$$(NEED_$(call row,$(1)))),$$(SRC_$$(a))))
	@mkdir -p $$(@D)
	$(say) LD $$@
	$(Q)clang -fsanitize=fuzzer,$(FUZZ_SANITIZE) -o $$@ $$^ $$(SYS_$(call row,$(1)))
endef
$(foreach t,$(FUZZ_SOURCES),$(eval $(call fuzz_rule,$(t))))
-include $(shell find $(B)/fuzz/obj -name '*.d' 2>/dev/null)
.PHONY: fuzz
fuzz: $(FUZZ) ## Fuzz each parser for FUZZ_SECONDS (10)
	hack/test/fuzz $(FUZZ_SECONDS) $^
