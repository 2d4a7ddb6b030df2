// Package fault breaks clusters of whole processes under load: the real binary, kill -9, networks that are cut, disks that fill
// up, clocks that are wrong. Every record that was acknowledged is read back on every surviving node before its minute ends;
// one that is missing fails the test, whatever else went well.
//
// What runs with all other tests is short; `make fault` runs everything, at higher rates, and prints a line for each fault.
//
// Networks of their own need root; without it the tests that cut something are skipped, loudly, and the others run on loopback.
//
// Knows: the command line, the configuration file, what goes over the wire. Never hears of: how a cluster works inside.
package fault
