# The go command is enough to build and test; these are the longer lines.
# `make` lists the targets.

BIN      ?= bin
FUZZTIME ?= 10s
# A version for local builds; a release gets it from its tag.
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS   = -s -w -X main.version=$(VERSION)
PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## the program, into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/countermark

.PHONY: test
test: ## all tests
	go test ./...

.PHONY: race
race: ## all tests, with the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race ./...

.PHONY: lint
lint: ## golangci-lint, the version that .ci/run installs
	golangci-lint run ./...

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (10s)
	@set -e; for pkg in $$(go list ./...); do \
		names=$$(go test -list '^Fuzz' "$$pkg"); \
		for target in $$(echo "$$names" | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg"; \
		done; \
	done

.PHONY: bench
bench: ## all benchmarks, with allocations
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-peers
bench-peers: ## this program beside others that do the same, as ratios of one run
	bash .ci/bench-peers
	bash .ci/bench-sbom

.PHONY: catalog
catalog: ## the catalogue beside the npm registry, some hundreds of packages, two at a time (RECHECK: its flags)
	go run ./policy/catalog/recheck $(RECHECK)

.PHONY: docs
docs: ## what is generated: docs/, from the commands themselves
	go generate ./...

.PHONY: cross
cross: ## the program for every platform, into bin/OS_ARCH/
	@set -e; for p in $(PLATFORMS); do \
		echo $$p; \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build -trimpath -ldflags '$(LDFLAGS)' \
			-o $(BIN)/$${p%/*}_$${p#*/}/ ./cmd/countermark; \
	done

.PHONY: snapshot
snapshot: ## archives and checksums as a release has them, into dist/
	goreleaser release --snapshot --clean

.PHONY: ci
ci: ## everything that has to hold before a merge
	bash .ci/run

.PHONY: clean
clean: ## what was built
	rm -rf $(BIN) dist
