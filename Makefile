# `make run` and `make test` are all a new user needs.
# Both need the Rust toolchain; `make run` also uses Python 3 with pip to fetch the model.

CARGO ?= cargo
PYTHON ?= python3
BINARY := target/release/faultmaven

.PHONY: help run build model test fmt lint deny bench bench-peers clean \
	drills drill-kill drill-power drill-faults drill-flip drill-restore drill-disk-full

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

bench-peers: ## Side by side with PostgreSQL, SQLite and Redis; fetches or skips what is missing
	$(PYTHON) benches/peers/run.py

# The store is hurt on purpose, for minutes; each prints its figures. FAULTMAVEN_DRILL_CYCLES and
# FAULTMAVEN_DRILL_SEED change the kills.
DRILL_SERVER := FAULTMAVEN_DRILL_BINARY=$(CURDIR)/$(BINARY) $(CARGO) test --locked --test all --
DRILL_STORE := $(CARGO) test --locked --lib --
DRILL_SHOW := --ignored --nocapture

drills: drill-power drill-faults drill-flip drill-kill drill-disk-full drill-restore ## All drills

drill-kill: build ## kill -9 of the server under mixed writes, 200 times
	$(DRILL_SERVER) drill_kill $(DRILL_SHOW)

drill-power: ## Loss of power at every sync; what was not synced is dropped, reordered, torn
	$(DRILL_STORE) drill_power $(DRILL_SHOW)

drill-faults: ## EIO, ENOSPC, short write, failed sync at every operation of the disk
	$(DRILL_STORE) drill_faults $(DRILL_SHOW)

drill-flip: ## Flipped bits in every page of store and log
	$(DRILL_STORE) drill_flip $(DRILL_SHOW)

drill-disk-full: build ## A disk that fills up under the server; needs root for a small tmpfs
	$(DRILL_SERVER) drill_disk_full $(DRILL_SHOW)

drill-restore: build ## Backup during writes, restore, compare every row and blob
	$(DRILL_SERVER) drill_restore $(DRILL_SHOW)

clean: ## Remove build products; data and models stay
	$(CARGO) clean
