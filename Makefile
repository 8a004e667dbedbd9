# Everything that people type. `make help` lists it; scripts/ and test/ hold the work.
SHELL := /bin/bash
# The project brings its own Node (package-lock.json pins it); the machine's own only has to run npm.
NODE := node_modules/.bin/node
export SCANFLEET_CACHE ?= $(HOME)/.cache/scanfleet
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down scan dev test test-unit test-contract test-store test-apiserver test-chart test-containers test-cluster lint format generate verify bench clean

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

node_modules/.installed: package.json package-lock.json
	@npm ci --ignore-scripts --no-progress --loglevel=error
	@touch $@

setup: node_modules/.installed ## Install what the commands below need (they do it by themselves)

demo: setup ## Bring up a real Kubernetes, install Scanfleet and scan sample repositories
	@$(NODE) scripts/demo/main.ts up

demo-down: setup ## Remove all that `make demo` made
	@$(NODE) scripts/demo/main.ts down

scan: setup ## Scan a folder with the scanner image: make scan DIR=path OUT=file.sarif
	@$(NODE) scripts/scan.ts "$(DIR)" "$(OUT)"

dev: setup ## Run the operator from the sources against the demo's cluster
	@$(NODE) scripts/dev.ts

test: setup ## Run every tier; the last line is `N passed, N failed`
	@$(NODE) scripts/test.ts

test-unit: setup ## Pure functions, no network; seconds
	@$(NODE) scripts/test.ts unit

test-contract: setup ## Every code host's client against a strict server of its API
	@$(NODE) scripts/test.ts contract

test-store: setup ## The findings store on SQLite and PostgreSQL
	@$(NODE) scripts/test.ts store

test-apiserver: setup ## Against a real kube-apiserver and etcd, without nodes
	@$(NODE) scripts/test.ts apiserver

test-chart: setup ## The Helm chart: lint, renderings, server-side dry runs
	@$(NODE) scripts/test.ts chart

test-containers: setup ## The scanner image by itself
	@$(NODE) scripts/test.ts containers

test-cluster: setup ## The whole product on a real node
	@$(NODE) scripts/test.ts kubernetes cluster

lint: setup ## Types, style, shell syntax
	@node_modules/.bin/tsc -p .
	@node_modules/.bin/biome check --error-on-warnings
	@bash -n $$(git ls-files '*.sh' .ci/run)

format: setup ## Put the sources into the project's style
	@node_modules/.bin/biome check --write

generate: setup ## Write what is generated: types, the chart's CRDs
	@for generator in scripts/generate/*.ts; do $(NODE) $$generator; done

verify: lint generate ## Fail when generated files are not current
	@test -z "$$(git status --porcelain -- operator/api/generated charts docs)" || { git --no-pager diff --stat -- operator/api/generated charts docs; echo "Generated files are not current: run make generate and commit." >&2; exit 1; }

bench: setup ## Measure speed, size and cost; docs/performance.md says what each row means
	@$(NODE) test/bench/main.ts

clean: demo-down ## Remove the demo and everything under .local
	@rm -rf .local dist
