package oobtest

import "path/filepath"

// SoftHSMModule is the PKCS #11 module of SoftHSM, which keeps tokens in files; empty where it is not installed.
func SoftHSMModule() string {
	for _, pattern := range []string{
		"/usr/lib/softhsm", "/usr/lib/*/softhsm", "/usr/lib64", "/usr/lib64/pkcs11", "/usr/local/lib/softhsm", "/opt/homebrew/lib/softhsm",
	} {
		if found, _ := filepath.Glob(pattern + "/libsofthsm2.so"); len(found) > 0 { // the pattern is well-formed
			return found[0]
		}
	}
	return ""
}
