package jws

// What the tokeniser says, for tests that compare it with the readers of plain.go.
var (
	ObjectByTokeniser  = object
	StringByTokeniser  = unquoted
	StringsByTokeniser = listed
)
