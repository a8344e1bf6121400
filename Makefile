# FunctionKey: the only entry. `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

B ?= build
CC := gcc
VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo unknown)
include hack/mk/flags.mk
include hack/mk/libs.mk
include hack/mk/lib.mk
include hack/mk/install.mk
include hack/mk/test.mk
include hack/mk/lint.mk
include hack/mk/cluster.mk
include hack/mk/bench.mk

##@ Use it
.PHONY: help deps build demo demo-down clean
help: ## List what make can do
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## Install what building and testing needs, by Debian package name
	hack/deps

build: $(PROGRAMS) ## Compile the programs into build/bin

clean: ## Remove what was built (not a running cluster)
	rm -rf $(B)/obj $(B)/bin $(B)/lib $(B)/test $(B)/fuzz $(B)/asan $(B)/images
