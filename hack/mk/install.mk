# Installs the programs and their man pages, as a package would; images have their own way (hack/images).
##@ Use it
.PHONY: install install-cli
MANDIR = $(DESTDIR)$(PREFIX)/share/man
install: $(PROGRAMS) install-cli install-lib ## Install programs, shell completion, man pages and libfunctionkey (PREFIX, DESTDIR)
	install -d $(DESTDIR)$(PREFIX)/sbin $(MANDIR)/man8
	install -m 755 $(addprefix $(B)/bin/functionkey-,controller agent keeper network) $(DESTDIR)$(PREFIX)/sbin
	install -m 644 $(wildcard docs/man/functionkey-*.8) $(MANDIR)/man8

install-cli: $(B)/bin/kubectl-functionkey ## Install kubectl functionkey alone
	install -d $(DESTDIR)$(PREFIX)/bin $(MANDIR)/man1
	install -m 755 $(B)/bin/kubectl-functionkey $(DESTDIR)$(PREFIX)/bin
	ln -sf kubectl-functionkey $(DESTDIR)$(PREFIX)/bin/kubectl_complete-functionkey
	install -m 644 docs/man/kubectl-functionkey.1 $(MANDIR)/man1
