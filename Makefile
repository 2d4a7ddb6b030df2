# make demo      the whole country on loopback, calls placed and judged (DEMOFLAGS=" " goes on until Ctrl-C)
# make test      everything that must hold before a change lands: build, lint, all tests under the race detector
# make bench     measured figures, against a floor measured in the same run, into the table of the README
# make fault     clusters and sites broken in every way that we know, under load; needs root, the whole machine and a quarter of an hour
# make fuzz      every fuzz target for FUZZTIME each (30m)
# make lint      gofmt, vet, staticcheck, go.mod
# make build     bin/viaduct
# make generate  docs/CONFORMANCE.md from the requirement tables

# The race detector needs a C compiler; .ci/needs says how to get one.
RACE = $(if $(shell command -v gcc),-race)
RUNTESTS = go run ./internal/testrun

.PHONY: demo test bench fault fuzz lint build generate needs

needs:
	@.ci/needs

demo:
	go run ./cmd/viaduct demo $(or $(DEMOFLAGS),--once)

test: needs lint
	go build ./...
	$(RUNTESTS) -- $(RACE) -timeout 30m -vet=off ./...

bench:
	go run ./bench -json bench/results/latest.json $(BENCHFLAGS)
	go run ./bench -readme

fault: needs
	VIADUCT_FAULT=all go test -count=1 -timeout 60m -v $(FAULTFLAGS) ./fault

fuzz:
	$(RUNTESTS) -fuzz $(or $(FUZZTIME),30m)

lint:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt-formatted:"; echo "$$unformatted"; exit 1; }
	go mod tidy -diff
	go vet ./...
	go tool -modfile=tools/go.mod staticcheck ./...

build:
	go build -trimpath -o bin/ ./cmd/viaduct

generate:
	go generate ./...
