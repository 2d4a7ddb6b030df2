package natslog_test

import (
	"os"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/store/natslog"
)

// TestFromOneNodeToThree: the engine would take the log of a node that was alone for the room of other logs, and never make that of all.
func TestFromOneNodeToThree(t *testing.T) {
	t.Parallel()
	before := open(t, alone(t))
	ready(t, before)
	before.append(event())
	before.close()
	all := site(t, newAuthority(t), "east", 3)
	all[0].Dir = before.cfg.Dir
	if _, err := natslog.Open(before.view, all[0]); err == nil || !strings.Contains(err.Error(), "when it was alone: remove the directory") {
		t.Fatalf("opened with the log of a node that was alone: %v", err)
	}
	if err := os.RemoveAll(all[0].Dir); err != nil {
		t.Fatal(err)
	}
	nodes := openAll(t, all)
	ready(t, nodes...)
	ev := event()
	nodes[0].append(ev)
	for _, n := range nodes {
		n.gets(ev)
		n.close()
	}
	back := all[0]
	back.Nodes, back.Listen = nil, ""
	if _, err := natslog.Open(before.view, back); err == nil || !strings.Contains(err.Error(), "when it was one of several: remove the directory") {
		t.Fatalf("opened alone with the log of several: %v", err)
	}
}
