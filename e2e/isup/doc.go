// Package isup is the bed of a telephone trunk that carries no token: two switches with SIP on one side and real ISUP on the
// other, over libss7 (isupgw, a program apart), and phones at both ends. What a call loses on the trunk is lost in earnest.
//
// The switches know nothing of PASSporTs: they ask the SIP element of `viaduct serve` about each call, go on with what it
// answers, and go on without an answer. SIP and ISUP are those of others, sipgo and libss7, and so is the judge of what the
// trunk has carried, tshark.
//
// Knows: the command line, the configuration, and what a switch would see. Never hears of: any package of ours.
package isup
