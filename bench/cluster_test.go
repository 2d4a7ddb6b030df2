package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSmokeCluster wants three nodes to become one, two sites to flood, and a picture to be drawn; the figures mean nothing.
func TestSmokeCluster(t *testing.T) {
	for _, part := range []struct {
		name    string
		measure func(context.Context, clusterPlan) ([]figure, error)
	}{{partCluster, measureCluster}, {partSites, measureSites}, {partLoad, measureLoad}} {
		t.Run(part.name, func(t *testing.T) {
			p := newClusterPlan()
			p.shrink()
			p.Picture = filepath.Join(t.TempDir(), "latency.svg")
			figures, err := part.measure(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			if len(figures) == 0 || figures[0].Value <= 0 {
				t.Errorf("%+v", figures)
			}
			if part.name != partLoad {
				return
			}
			if picture, err := os.ReadFile(p.Picture); err != nil || !strings.HasSuffix(string(picture), "</svg>\n") {
				t.Errorf("no picture: %v", err)
			}
		})
	}
}
