# make demo      the whole country on loopback, calls placed and judged (DEMOFLAGS=" " goes on until Ctrl-C)
# make test      everything that must hold before a change lands: build, lint, all tests under the race detector, short fuzz
# make bench     measured figures, against a floor measured in the same run
# make fuzz      every fuzz target for FUZZTIME each (30m)
# make lint      gofmt, vet, staticcheck, go.mod
# make build     bin/viaduct
# make generate  docs/CONFORMANCE.md from the requirement tables

# The race detector needs a C compiler; .ci/needs says how to get one.
RACE = $(if $(shell command -v gcc),-race)
RUNTESTS = go run ./internal/testrun

.PHONY: demo test bench fuzz lint build generate needs

needs:
	@.ci/needs

demo:
	go run ./cmd/viaduct demo $(or $(DEMOFLAGS),--once)

test: needs lint
	go build ./...
	$(RUNTESTS) -fuzztime $(or $(FUZZTIME),20000x) -- $(RACE) -vet=off ./...

bench:
	go run ./bench -json bench/results/latest.json $(BENCHFLAGS)

fuzz:
	$(RUNTESTS) -onlyfuzz -fuzztime $(or $(FUZZTIME),30m)

lint:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt-formatted:"; echo "$$unformatted"; exit 1; }
	go mod tidy -diff
	go vet ./...
	go tool -modfile=tools/go.mod staticcheck ./...

build:
	go build -trimpath -o bin/ ./cmd/viaduct

generate:
	go generate ./...
