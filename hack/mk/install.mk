# Installs the programs and their man pages, as a package would; images have their own way (hack/images).
##@ Use it
.PHONY: install
install: $(PROGRAMS) install-lib ## Install programs, shell completion, man pages and libfunctionkey (PREFIX, DESTDIR)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(B)/bin/kubectl-functionkey $(DESTDIR)$(PREFIX)/bin
	ln -sf kubectl-functionkey $(DESTDIR)$(PREFIX)/bin/kubectl_complete-functionkey
	install -m 755 $(addprefix $(B)/bin/functionkey-,controller agent keeper supervisor) $(DESTDIR)$(PREFIX)/sbin
	install -m 644 docs/man/kubectl-functionkey.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(wildcard docs/man/functionkey-*.8) $(DESTDIR)$(PREFIX)/share/man/man8
