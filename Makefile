# The project's own Node (24, from npm) comes first in every recipe; bootstrap runs on whatever Node the machine has.
SYSTEM_NODE := $(shell command -v node 2>/dev/null)
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: up test check bootstrap

## Starts everything on this machine, seeded, and prints where it is. Ctrl-C stops it.
up: bootstrap
	@exec node tools/up/main.ts

## Checks, unit tests, integration tests on real services, and browser tests.
test: bootstrap
	@exec node tools/run-tests.ts

## Types, format, import directions, generated code.
check: bootstrap
	@exec node tools/check.ts

## Makes a fresh clone ready: packages, Node 24, nats-server, generated code.
bootstrap:
	@if [ -z "$(SYSTEM_NODE)" ]; then echo "Node.js 20 or newer with npm is needed and there is none on PATH: install it from https://nodejs.org" >&2; exit 1; fi
	@exec "$(SYSTEM_NODE)" tools/bootstrap.mjs
