//go:build !unix

package natslog

import "os"

// lockWhole locks nothing: there is no way to do it that all these systems have.
func lockWhole(*os.File) error { return nil }
