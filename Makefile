# make help says what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
GO ?= go
GOLANGCI := $(GO) tool -modfile=tools/golangci-lint/go.mod golangci-lint
OAPI_CODEGEN := $(GO) tool -modfile=../../tools/oapi-codegen/go.mod oapi-codegen
FUZZTIME ?= 2000x

.PHONY: help
help: ## this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: check
check: deps lint generated test tools-test mixin-test deploy-test chart-test release fuzz build ## everything that must hold: installs what it needs, lints, tests with the race detector, fuzzes for seconds, builds

.PHONY: deps
deps: ## install what the tests need: a C compiler for the race detector, Prometheus and Alertmanager, npm, systemd's and the manual's checkers
	@need=; \
	command -v gcc >/dev/null || need="$$need gcc libc6-dev"; \
	command -v promtool >/dev/null || need="$$need prometheus"; \
	command -v prometheus-alertmanager >/dev/null || need="$$need prometheus-alertmanager"; \
	command -v npm >/dev/null || need="$$need nodejs npm"; \
	command -v systemd-analyze >/dev/null || need="$$need systemd"; \
	for tool in mandoc zsh fish; do command -v $$tool >/dev/null || need="$$need $$tool"; done; \
	if [ -n "$$need" ]; then apt-get update -q && apt-get install -qy --no-install-recommends $$need; fi

.PHONY: build
build: ## the static binary ./analyzer
	CGO_ENABLED=0 $(GO) build -trimpath -o analyzer ./cmd/analyzer

.PHONY: demo
demo: ## the daemon against a simulated AWS, http://127.0.0.1:8484
	$(GO) run ./cmd/analyzer demo

.PHONY: test
test: ## all tests, shuffled; all but the long ones with the race detector
	$(GO) test -race -shuffle=on -timeout 30m $$($(GO) list ./... | grep -v /internal/tailtest)
	$(GO) test -shuffle=on -timeout 30m ./internal/tailtest # hours of log; with the race detector it takes many minutes

.PHONY: lint
lint: ## format, import directions and the linter set of .golangci.yml
	$(GOLANGCI) run ./...
	$(GO) mod tidy -diff

.PHONY: client
client: ## write the Go client of the API anew from its OpenAPI document
	cd internal/client && $(OAPI_CODEGEN) -config oapi-codegen.yaml ../api/openapi.yaml

.PHONY: generated
generated: client mixin ## fail if a page, an expectation or code that is made by a command is not the one that is committed
	$(GO) test ./internal/parse ./internal/rules ./internal/diagnose ./internal/explain ./internal/access/awsauth ./internal/api -update >/dev/null
	git diff --exit-code -- docs testdata internal deploy

.PHONY: mixin
mixin: ## render the alerts, rules and dashboards of deploy/mixin
	cd tools/mixin && $(GO) run ./cmd/render
	rm -rf deploy/helm/eks-authlog/files && mkdir -p deploy/helm/eks-authlog/files/rules # a chart cannot read outside itself
	cp deploy/mixin/rendered/*.yaml deploy/helm/eks-authlog/files/rules
	cp -r deploy/mixin/rendered/dashboards deploy/helm/eks-authlog/files

.PHONY: mixin-test
mixin-test: ## the alerts, rules and dashboards on a real Prometheus and Alertmanager
	cd tools/mixin && $(GO) test -count=1 ./... # what it reads beside the module is unknown to the cache

.PHONY: deploy-test
deploy-test: ## image, units, compose files, Alertmanager's routes and the commands for IAM
	cd tools/deploy && $(GO) test -count=1 ./...

.PHONY: chart-test
chart-test: ## the Helm chart, by helm, kubectl-validate and kube-score
	cd tools/helm && $(GO) test -count=1 ./...

.PHONY: release
release: reproducible sbom licences ## what must hold of a binary that is given away

.PHONY: reproducible
reproducible: ## build twice, in two folders: the same bytes
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	for copy in one another/folder; do \
		git clone -q . "$$dir/$$copy" && $(MAKE) -s -C "$$dir/$$copy" build; \
	done; \
	cmp "$$dir/one/analyzer" "$$dir/another/folder/analyzer" && sha256sum < "$$dir/one/analyzer"

.PHONY: sbom
sbom: build ## build/sbom.cdx.json: the modules in the binary, in CycloneDX
	mkdir -p build
	$(GO) tool -modfile=tools/cyclonedx/go.mod cyclonedx-gomod bin -json -noserial -output build/sbom.cdx.json analyzer

.PHONY: licences
licences: build ## build/licences.csv and build/NOTICES; fails on a licence that is not known or not allowed
	mkdir -p build
	cd tools/licences && $(GO) test ./... && $(GO) run . ../../analyzer ../../build/licences.csv ../../build/NOTICES

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (2000 inputs); FUZZTIME=10m for a long run
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			out=$$($(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg 2>&1) || { printf '%s\n' "$$out"; exit 1; }; \
			printf '%s\n' "$$out" | tail -n 1; \
		done; \
	done

.PHONY: tools-test
tools-test: ## our reading of aws-auth against the authenticator's own code
	cd tools/awsauth-diff && $(GO) test ./... \
		&& $(GO) test -run '^$$' -fuzz '^FuzzParse$$' -fuzztime $(FUZZTIME) . \
		&& $(GO) test -run '^$$' -fuzz '^FuzzManifest$$' -fuzztime $(FUZZTIME) .

.PHONY: bench
bench: build bench-deps ## throughput beside mawk, grep, ripgrep, mtail and go-logfmt; what tailing costs, and loses with other cursors; how fast the API answers over large stores; what readers of the stream cost
	cd tools/bench && $(GO) run . throughput --analyzer ../../analyzer && $(GO) run . tail && $(GO) run . api && $(GO) run . stream

.PHONY: bench-deps
bench-deps:
	@for tool in mawk rg mtail; do command -v $$tool >/dev/null || need=1; done; \
	if [ -n "$${need:-}" ]; then apt-get update -q && apt-get install -qy --no-install-recommends mawk ripgrep mtail; fi
