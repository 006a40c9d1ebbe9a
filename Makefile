# `make run` and `make test` are all a new user needs.
# Both need the Rust toolchain; `make run` also uses Python 3 with pip to fetch the model.

CARGO ?= cargo
PYTHON ?= python3
BINARY := target/release/faultmaven

.PHONY: help run build model test fmt lint deny bench clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -e 's/:.*##/:/' | column -t -s:

run: build model ## Build, fetch the default model, serve on 127.0.0.1:8090
	$(BINARY) serve

build: ## Build the release binary: target/release/faultmaven
	$(CARGO) build --release --locked

model: ## Fetch and verify the default embedding model into models/ (search is lexical without it)
	$(PYTHON) models/fetch.py

test: fmt lint ## Everything that continuous integration runs
	$(CARGO) test --locked --no-fail-fast

fmt: ## Check the formatting
	$(CARGO) fmt --check

lint: ## Clippy, warnings denied
	$(CARGO) clippy --locked --all-targets -- -D warnings

deny: ## Licences and advisories (needs cargo-deny)
	$(CARGO) deny check

bench: ## One bench per claim; works offline on any machine
	$(CARGO) bench --locked

clean: ## Remove build products; data and models stay
	$(CARGO) clean
