# Lint: programs in hack/lint, each of which can be run by itself.
.PHONY: lint format tidy manuals
lint: $(call archives,$(ARCHIVES)) $(PROGRAMS) ## Format, layers, symbols, banned words, comments, clang-tidy; CHECKS="docs tidy" for some
	hack/lint/run --build $(B) $(CHECKS)

format: ## Format all C files
	git ls-files '*.c' '*.h' | xargs clang-format -i

manuals: $(PROGRAMS) ## Make the API reference and the options of the man pages anew
	hack/docs/api docs/api.md
	hack/docs/manuals --write $(B)

tidy: ## clang-tidy over FILES (default: all), two at a time; what was clean is not read again
	hack/lint/tidy --build $(B) $(FILES)
