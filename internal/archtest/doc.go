// Package archtest holds the house rules that a compiler does not know, as tests over the repository's own files: which
// room may import what and why, how documents are cited, how comments, names, files and pages are kept.
//
// Knows: the text and syntax of every file in the repository. Never hears of: what the code does.
//
// Each rule is a function from files to complaints, so that it can be shown bad examples. A complaint names the place, the
// rule and what to do instead. Where a rule has exceptions they are a list with reasons that may only shrink.
package archtest
