# Images, clusters, the demo, and the tests that need them.
TAG ?= dev
GO := hack/go

##@ Run it
.PHONY: images cluster-up cluster-down test test-api test-compat test-ipv6 test-cert-manager test-node test-interop test-vectors
# The functions of the demo: static Go programs without any package but the standard library.
$(B)/bin/orders $(B)/bin/billing: $(wildcard examples/functions/*/*.go) examples/functions/go.mod
	@mkdir -p $(@D)
	$(say) GO $@
	$(Q)cd examples/functions && CGO_ENABLED=0 ../../$(GO) build -trimpath -ldflags "-s -w" -o $(abspath $@) ./$(@F)

images: build $(B)/bin/orders $(B)/bin/billing ## OCI archives of the programs, with SBOMs, in build/images
	hack/images/build --tag $(TAG) controller agent orders billing

cluster-up: ## A one-node Kubernetes for trying things (NAME=dev)
	hack/cluster/up --mode node --name $(or $(NAME),dev)

cluster-down: ## Take it down, with all that it left
	hack/cluster/down --name $(or $(NAME),dev)

demo: deps ## On a real Kubernetes, told as it happens: the main job, both forms of injection, proxy mode
	@hack/demo up

demo-down: ## Take the demo's cluster down
	@hack/demo down

.PHONY: deploy undeploy chart test-deploy test-helm
deploy: ## FunctionKey on a cluster of your own: CLUSTER=current IMAGE_PREFIX=registry.example/functionkey (docs/install.md)
	@hack/deploy check
	@$(MAKE) --no-print-directory build
	@hack/images/build --tag $(TAG) --bin $(B)/bin --out $(B)/images controller agent
	@IMAGES=$(B)/images hack/deploy up

undeploy: ## Take it away from there; DELETE_RECORDS=yes: the definition and every record, too
	@hack/deploy down

chart: ## The Helm chart, in build/chart/functionkey
	@hack/helm/chart --out $(B)/chart/functionkey $(addprefix --helm=,$(shell hack/helm/build --where))

##@ Test it
test: deps ## All tests, from nothing; PARTS="unit api" for some
	@hack/test/all $(PARTS)

test-vectors: $(B)/bin/pre-vectors ## The Umbral vector files, with replay of their randomness
	$(B)/bin/pre-vectors pkg/pre/vectors/*.json

test-interop: build ## Messages and keys to and from the public packages, and from the senders in examples
	e2e/interop/umbral/run
	e2e/interop/envelope/run
	e2e/interop/senders/run

test-api: build ## Against a real API server without a node
	e2e/run api

# The oldest supported Kubernetes, built like the newest.
KUBERNETES ?= 1.30
test-compat: build ## Control plane only, on the oldest supported Kubernetes: KUBERNETES=1.30; not part of `make test`
	KUBERNETES=$(KUBERNETES) e2e/run compat

test-ipv6: build ## Control plane only, with IPv6 addresses and no others; not part of `make test`
	e2e/run ipv6

test-cert-manager: build ## The webhook with the real cert-manager, built from its module first; not part of `make test`
	e2e/run cert-manager

test-node: images ## End to end on a real node with containers
	e2e/run node

test-deploy: images ## Install, upgrade from N-1 while messages flow, uninstall; images through a registry
	e2e/deploy/run

test-helm: ## The same with Helm, built from its module first: two minutes of processor time, not part of `make test`
	hack/helm/build
	e2e/deploy/run helm
