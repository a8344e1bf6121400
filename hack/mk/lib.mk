# libfunctionkey for C programs: lib/functionkey.h, shared with a soname and static, and how both are
# installed. The shared one is compiled a second time, as position-independent code; what else is in
# either of them is hidden.
LIB_SOVERSION := 0
LIB_SRC := $(call not_lib,lib)
# The files of other folders that these need: what is missing here, the linker names.
LIB_OTHER := $(addprefix pkg/base/,alloc.c arena.c buf.c env.c err.c secret.c str.c text.c) \
	$(SRC_pre_public) $(SRC_pre_send) $(SRC_pre_hold) $(SRC_envelope) $(SRC_envelope_seal) $(SRC_envelope_open) \
	pkg/kmsg/statement.c pkg/protocol/chain.c pkg/kube/json.c pkg/kube/json_scan.c pkg/kube/projection.c pkg/kube/projection_fill.c \
	$(addprefix crds/,complete.c decode.c fields.c functionkey.c names.c)
LIB_OBJ := $(patsubst %.c,$(B)/pic/%.o,$(LIB_SRC))

SRC_functionkey_parts := $(LIB_SRC)
ARCHIVES += functionkey_parts
$(eval $(call archive_rule,functionkey_parts))
NEED_lib := functionkey_parts protocol crds kmsg kube envelope_seal envelope_open envelope pre_hold pre_send pre_public base
# Its tests have records of real keepers.
TEST_NEED_lib := functionkey_parts keeper $(wordlist 2,99,$(NEED_lib))
SYS_lib := -lsecp256k1 $(SYS_kube)

$(B)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -fPIE,$(CFLAGS)) -fPIC -c -o $@ $<

# An archive, so that only what is needed comes along.
$(B)/pic/others.a: $(patsubst %.c,$(B)/pic/%.o,$(LIB_OTHER))
	$(Q)rm -f $@ && ar rcsD $@ $^

LIB_SHARED := $(B)/lib/libfunctionkey.so.$(LIB_SOVERSION)
$(LIB_SHARED): $(LIB_OBJ) $(B)/pic/others.a lib/libfunctionkey.map
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) -shared -Wl,-soname,$(@F) -Wl,--version-script=lib/libfunctionkey.map -Wl,-z,defs,-z,relro,-z,now,-z,noexecstack,--as-needed \
		-o $@ $(LIB_OBJ) $(B)/pic/others.a $(SYS_pre)

# One object in which only what functionkey.h exports is visible.
$(B)/lib/libfunctionkey.a: $(LIB_OBJ) $(B)/pic/others.a
	@mkdir -p $(@D)
	$(say) AR $@
	$(Q)ld -r -o $(B)/pic/functionkey.o $^ && objcopy --localize-hidden $(B)/pic/functionkey.o
	$(Q)rm -f $@ && ar rcsD $@ $(B)/pic/functionkey.o

-include $(shell find $(B)/pic -name '*.d' 2>/dev/null)

##@ Use it
.PHONY: library install-lib test-lib
PREFIX ?= /usr/local
LIBDIR ?= lib
library: $(LIB_SHARED) $(B)/lib/libfunctionkey.a ## libfunctionkey for C programs, shared and static, in build/lib

build: library

install-lib: library ## Install libfunctionkey, its header, pkg-config file and man page (PREFIX, LIBDIR, DESTDIR)
	install -d $(DESTDIR)$(PREFIX)/$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/share/man/man3
	install -m 644 $(LIB_SHARED) $(B)/lib/libfunctionkey.a $(DESTDIR)$(PREFIX)/$(LIBDIR)
	ln -sf $(notdir $(LIB_SHARED)) $(DESTDIR)$(PREFIX)/$(LIBDIR)/libfunctionkey.so
	install -m 644 lib/functionkey.h $(DESTDIR)$(PREFIX)/include
	sed -e 's|@prefix@|$(PREFIX)|; s|@libdir@|$(LIBDIR)|; s|@version@|$(VERSION)|' lib/functionkey.pc.in \
		>$(DESTDIR)$(PREFIX)/$(LIBDIR)/pkgconfig/functionkey.pc
	install -m 644 docs/man/functionkey.3 $(DESTDIR)$(PREFIX)/share/man/man3

##@ Test it
test-lib: library $(B)/bin/envelope-tool ## The installed libfunctionkey as a C program meets it
	hack/test/lib $(B)
