# Compiler flags: all warnings, hardening; sanitizer builds drop what does not go with them.
WARN := -Wall -Wextra -Wformat=2 -Wformat-signedness -Wconversion -Wsign-conversion -Wshadow \
	-Wcast-qual -Wcast-align -Wwrite-strings -Wvla -Walloca -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wundef -Wimplicit-fallthrough -Wswitch-enum \
	-Wnull-dereference -Wpointer-arith -Wdouble-promotion -Wno-missing-field-initializers
GCC_WARN := -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wtrampolines -Wbidi-chars=any
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
	-fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing -fno-common \
	-ftrivial-auto-var-init=zero -fvisibility=hidden
WERROR ?= -Werror
SAN ?=
ifeq ($(SAN),)
OPT := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
LDHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodlopen,--as-needed
else
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all -DBASE_SANITIZED=1
LDHARDEN := -pie -fsanitize=$(SAN)
endif
CPPFLAGS := -I. -include pkg/base/banned.h -DFUNCTIONKEY_VERSION='"$(VERSION)"'
CFLAGS := -std=gnu17 $(OPT) $(WARN) $(GCC_WARN) $(HARDEN) $(WERROR) -fPIE \
	-ffile-prefix-map=$(CURDIR)=. -MMD -MP
LDFLAGS := $(LDHARDEN)

# make V=1 shows the commands.
ifeq ($(V),1)
say = @:
Q :=
else
say = @printf '  %-6s %s\n'
Q := @
endif
