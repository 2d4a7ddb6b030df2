package natslog_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/natslog"
)

func TestACopyThatCannotBeUsedIsTakenFromTheOthers(t *testing.T) {
	t.Parallel()
	all := site(t, newAuthority(t), "east", 3)
	for i := range all {
		all[i] = natslog.SettlingAtOnce(all[i])
	}
	nodes := openAll(t, all)
	ready(t, nodes...)
	var events []store.Event
	appendSome := func() {
		for i := range 20 {
			events = append(events, event())
			nodes[i%2*2].append(events[len(events)-1]) // not at n2
		}
	}
	appendSome()
	t.Run("WhileItRuns", func(t *testing.T) {
		if err := nodes[1].log.Break(); err != nil {
			t.Fatal(err)
		}
		appendSome()
		if !eventually(func() bool { return nodes[1].log.Stats().Restarts > 0 && nodes[1].log.Stats().Up }) {
			t.Fatal("it was not started again")
		}
		ready(t, nodes...)
		nodes[1].gets(events...)
		if s := nodes[1].log.Stats(); s.Wipes != 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("WhenItCannotStart", func(t *testing.T) {
		nodes[1].close()
		store := filepath.Join(nodes[1].cfg.Dir, "jetstream")
		if err := errors.Join(os.RemoveAll(store), os.WriteFile(store, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		nodes[1].open()
		appendSome()
		ready(t, nodes...)
		nodes[1].gets(events...)
		if n := nodes[1].log.Stats().Wipes; n != 1 {
			t.Errorf("it was given up %d times", n)
		}
	})
	t.Run("WhenItStartsDamaged", func(t *testing.T) {
		nodes[1].close()
		damage(t, nodes[1].cfg.Dir)
		nodes[1].open()
		appendSome()
		ready(t, nodes...)
		nodes[1].gets(events...)
		nodes[1].append(event())
	})
}

// damage overwrites the middle of all files below a folder.
func damage(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for i := len(text) / 2; i < min(len(text), len(text)/2+33); i++ {
			text[i] ^= 0x5a
		}
		if err != nil {
			return err
		}
		return os.WriteFile(path, text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}
