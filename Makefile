# `make demo` and `make test` set up what they need (a container engine where
# none answers and you are root, a node image for kind) and say what they do.

GO       ?= go
SETUP     = $(GO) run ./cmd/hostsetup
PIPELINE  = $(CURDIR)/bin/pipeline

.PHONY: build demo clean-demo test check host-down

build:
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/pipeline ./cmd/pipeline

# The main job on the example system: six stages for each of three services, the
# last one in a real Kubernetes; then a release of each. A second call finds
# everything done.
demo: build
	@$(SETUP) exec -- sh -c '$(PIPELINE) cluster up --build-node-image && examples/shop/demo.sh $(PIPELINE) $(CURDIR)/.pipeline/demo'

clean-demo: build
	@$(SETUP) exec -- $(PIPELINE) cluster down
	rm -rf .pipeline examples/shop/*/.pipeline

# Everything: unit tests, and the tests on real engines and a real cluster.
test: build
	@$(SETUP) exec --with podman,registry,completion,skopeo,node,rsync -- .ci/test

# What to run before each commit: no engine, no cluster.
check:
	@.ci/check

host-down:
	@$(SETUP) down
