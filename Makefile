# Two commands: `make demo` shows it, `make test` tests it. Both install what is missing (Debian 12, as root or with sudo).
.PHONY: demo test build bench lint setup clean

QUARTER := 2024Q2

setup:
	@.ci/setup

build: setup
	swift build

demo: setup
	@swift build -c release
	@docs/demo.sh $$(swift build -c release --show-bin-path) $(QUARTER)

test: setup lint
	swift build --build-tests
	swift test --skip-build

bench: setup
	@swift build -c release
	@Tests/Benchmarks/run.sh $$(swift build -c release --show-bin-path)

lint:
	swift format lint --strict --recursive Package.swift Sources Backfill Reports Migrations Tests

clean:
	rm -rf .build
