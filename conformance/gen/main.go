// Gen writes docs/CONFORMANCE.md from the requirement tables. Run it by go generate ./conformance.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/viaduct-oob/viaduct/conformance"
)

func main() {
	const root = ".." // go generate runs in the folder of package conformance
	tables, err := conformance.ReadTables(root)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "docs", "CONFORMANCE.md"), []byte(conformance.Page(tables)), 0o644); err != nil {
		log.Fatal(err)
	}
}
