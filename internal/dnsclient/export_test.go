package dnsclient

// What the tests in package dnsclient_test see of the inside.
var (
	ServersIn  = serversIn
	ParseNAPTR = parseNAPTR
)

// ReadNAPTRAnswer reads a whole message, as if it had come to the question for name.
func ReadNAPTRAnswer(message []byte, name string) (Answer[NAPTR], error) {
	return readAnswer(message, lower(name), typeNAPTR, readNAPTR)
}

// ReadSVCBAnswer is the same for SVCB.
func ReadSVCBAnswer(message []byte, name string) (Answer[SVCB], error) {
	return readAnswer(message, lower(name), typeSVCB, readSVCB)
}
