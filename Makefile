# Two commands: `make demo` shows it, `make test` tests it. Both install what is missing (Debian 12, as root or with sudo).
.PHONY: demo test build release bench screenshots lint setup clean

QUARTER := 2024Q2

setup:
	@.ci/setup

build: setup
	swift build

# With Swift's libraries in the programs: they start in 11 ms instead of 19. One by one, because the library of the
# tests cannot be linked so.
RELEASE := swift build -c release --static-swift-stdlib

release: setup
	@for program in rollup rollup-backfill report; do $(RELEASE) --product $$program || exit 1; done

demo: release
	@docs/demo.sh $$(swift build -c release --show-bin-path) $(QUARTER)

# It takes 8 minutes on 2 cores. Eight tests at a time: all at once starve each other. One that hangs is a mistake: better
# ended than waited for.
test: setup lint
	swift build --build-tests
	timeout --kill-after=60 2700 swift test --skip-build --experimental-maximum-parallelization-width 8

bench: release
	@$(RELEASE) --product benchmark
	@Tests/Benchmarks/run.sh $$(swift build -c release --show-bin-path)

# Pictures of the dashboard, in out/screenshots. Installs Chromium, which nothing else here needs.
screenshots: release
	@docs/screenshots.sh $$(swift build -c release --show-bin-path) out/screenshots

lint:
	swift format lint --strict --recursive Package.swift Sources Backfill Reports Migrations Tests docs/examples

clean:
	rm -rf .build
