# Archives and programs. A folder is a library; a file name ending in _send, _hold, _seal or _open
# puts it in an archive of its own, so that a program links only what it may hold (hack/layers.txt).
not_lib = $(filter-out %_test.c %_fuzz.c %_torture.c %_ctime.c %_bench.c %_main.c %/main.c,$(sort $(wildcard $(1)/*.c)))
objs = $(patsubst %.c,$(B)/obj/%.o,$(1))

SRC_base := $(call not_lib,pkg/base)
SRC_kube := $(call not_lib,pkg/kube)
SRC_apitest := pkg/kube/apitest_lease_main.c
SRC_informer_apitest := pkg/kube/informer_apitest_tap_main.c
SRC_http := $(call not_lib,pkg/http)
SRC_bhttp := $(call not_lib,pkg/bhttp)
SRC_kmsg := $(call not_lib,pkg/kmsg)
SRC_protocol := $(call not_lib,pkg/protocol)
SRC_crds := $(call not_lib,crds)
SRC_pre_send := $(filter %_send.c,$(call not_lib,pkg/pre))
SRC_pre_hold := $(filter %_hold.c,$(call not_lib,pkg/pre))
SRC_pre_public := $(filter-out %_send.c %_hold.c,$(call not_lib,pkg/pre))
SRC_vectors := $(call not_lib,pkg/pre/vectors)
SRC_envelope_seal := $(filter %_seal.c,$(call not_lib,pkg/envelope))
SRC_envelope_open := $(filter %_open.c,$(call not_lib,pkg/envelope))
SRC_envelope := $(filter-out %_seal.c %_open.c,$(call not_lib,pkg/envelope))
SRC_controller := $(call not_lib,controller)
SRC_agent := $(call not_lib,agent)
SRC_keeper := $(call not_lib,keeper)
SRC_cli := $(call not_lib,cli)
# The simulated world: test code only. It stands before what it takes the place of.
SRC_sim := $(call not_lib,sim)
ARCHIVES := base kube apitest informer_apitest http bhttp kmsg protocol crds pre_public pre_send pre_hold vectors envelope envelope_seal envelope_open controller agent keeper cli sim

# What each archive needs to link, dependants first, and the system libraries behind it.
NEED_base := base
NEED_kmsg := kmsg base
NEED_kube := kube base
NEED_apitest := apitest kube base
NEED_informer_apitest := informer_apitest kube base
NEED_http := http kube base
NEED_bhttp := bhttp base
NEED_crds := crds kube base
NEED_pre := pre_hold pre_send pre_public base
NEED_vectors := vectors pre_hold pre_send pre_public base
NEED_envelope := envelope_seal envelope_open envelope pre_hold pre_send pre_public base
NEED_protocol := protocol crds kmsg kube pre_public base
# Tests of the pure steps sign what they then verify.
TEST_NEED_protocol := protocol crds kmsg kube pre_hold pre_send pre_public base
NEED_controller := controller protocol crds kmsg kube http pre_public base
NEED_agent := agent protocol crds kmsg http kube bhttp envelope_seal envelope pre_send pre_public base
# Tests of the agent have real keepers in process.
TEST_NEED_agent := agent keeper protocol crds kmsg http kube bhttp envelope_seal envelope_open envelope pre_hold pre_send pre_public base
NEED_keeper := keeper kmsg envelope_seal envelope_open envelope pre_hold pre_send pre_public base
# Fuzz targets are linked of objects: with all of libfunctionkey comes what it holds.
FUZZ_NEED_cli = cli $(NEED_lib)
NEED_cli := cli functionkey_parts protocol crds kmsg kube envelope_seal envelope pre_send pre_public base
# PID 1 of the sidecar: of these what needs no library but libc.
NEED_sidecar := agent crds base
NEED_sim := sim $(TEST_NEED_agent)
SYS_base := -lcrypto
SYS_kmsg := -lcrypto
SYS_kube := -lcurl -luv -ljson-c -lyaml -lcrypto
SYS_apitest := $(SYS_kube)
SYS_informer_apitest := $(SYS_kube)
SYS_http := -lmicrohttpd $(SYS_kube)
SYS_bhttp := -lcrypto
SYS_crds := $(SYS_kube)
SYS_pre := -lsecp256k1 -lcrypto
SYS_vectors := -ljson-c $(SYS_pre)
SYS_envelope := $(SYS_pre)
SYS_protocol := -lsecp256k1 $(SYS_kube)
SYS_controller := -lwebsockets -lssl -lsecp256k1 -lmicrohttpd $(SYS_kube)
SYS_agent := -lsecp256k1 -lmicrohttpd $(SYS_kube)
SYS_cli := -lwebsockets -lssl -lsecp256k1 $(SYS_kube)
SYS_sim := $(SYS_agent)
SYS_keeper := -lseccomp $(SYS_pre)

archives = $(patsubst %,$(B)/lib/lib%.a,$(1))

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

define archive_rule
$(B)/lib/lib$(1).a: $$(call objs,$$(SRC_$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)ar rcsD $$@ $$^
endef
$(foreach a,$(ARCHIVES),$(eval $(call archive_rule,$(a))))

# $(1) program, $(2) its main file, $(3) the row of NEED_ and SYS_
define program_rule
ifneq ($$(wildcard $(2)),)
PROGRAMS += $(B)/bin/$(1)
$(B)/bin/$(1): $(B)/obj/$(2:.c=.o) $$(call archives,$$(NEED_$(3)))
	@mkdir -p $$(@D)
	$(say) LD $$@
	$(Q)$(CC) $(LDFLAGS) -o $$@ $$^ $$(SYS_$(3))
endif
endef
$(eval $(call program_rule,functionkey-controller,controller/main.c,controller))
$(eval $(call program_rule,functionkey-agent,agent/main.c,sidecar))
$(eval $(call program_rule,functionkey-network,agent/network_main.c,agent))
$(eval $(call program_rule,functionkey-keeper,keeper/main.c,keeper))
$(eval $(call program_rule,kubectl-functionkey,cli/main.c,cli))
$(eval $(call program_rule,pre-vectors,pkg/pre/vectors_main.c,vectors))
$(eval $(call program_rule,envelope-tool,pkg/envelope/tool_main.c,envelope))
$(eval $(call program_rule,kube-apitest,pkg/kube/apitest_main.c,apitest))
$(eval $(call program_rule,kube-candidate,pkg/kube/candidate_main.c,kube))
$(eval $(call program_rule,kube-informer-apitest,pkg/kube/informer_apitest_main.c,informer_apitest))

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
