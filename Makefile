# The two commands of the README are demo and test. Everything they need beyond
# Go and git is installed by scripts/setup, which does nothing where it is there.

GO      ?= go
BIN     := bin/seaworthy
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X seaworthy/cli.version=$(VERSION)

.PHONY: build demo test unit race lint e2e bench dogfood setup schema clean

build: ## one binary in bin/
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/seaworthy

demo: build ## a sample project travels from commit to verified release, live
	@$(BIN) demo $(DEMO_FLAGS)

setup: ## install what the tests need (PostgreSQL, Chromium, npm packages)
	@scripts/setup

test: setup lint e2e race ## everything, as CI runs it; the crash matrix whole
	@$(GO) test -timeout 40m ./...

unit: ## fast: the tests without the race detector
	@$(GO) test ./...

race: ## under the race detector; the crash matrix by sample
	@$(GO) test -race -short -timeout 40m ./...

lint: ## gofmt, vet, staticcheck, known vulnerabilities
	@scripts/lint

e2e: build ## walk the demo's pages in a browser
	@scripts/e2e

bench: ## the figures of docs/performance.md
	@$(GO) test -run '^$$' -bench . -benchmem ./...
	@bench/demo

dogfood: build ## a mock and a real release of this project, and of a project with years of tags
	@scripts/dogfood

clean:
	@rm -rf bin
