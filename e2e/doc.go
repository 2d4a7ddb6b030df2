// Package e2e tells stories with whole processes: the real binary, real sockets, real signals. Each file in testdata is
// one story; testscript runs it. The tests in crosscheck_*_test.go run the binary beside implementations of others; those in
// switches_*_test.go place calls by way of a switch that asks it, with the snippets of deploy/switches.
//
// Knows: the command line and what a person would see. Never hears of: any package of ours.
package e2e
