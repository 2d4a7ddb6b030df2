package fault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mount gives the log of a node a disk of its own, of so many MiB.
func (n *node) mount(t *testing.T, size int) {
	t.Helper()
	check(t, syscall.Mount("tmpfs", n.path("disk"), "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", size)))
	t.Cleanup(func() { check(t, syscall.Unmount(n.path("disk"), syscall.MNT_DETACH)) })
}

// fullDisk fills the disk of one node with something else, and frees it again.
func fullDisk(t *testing.T, b *bed) {
	b.whole(t)
	victim := b.nodes[1]
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.nodes...)...)
	pass(before)
	victim.fill(t)
	await(t, victim.name+" to say that its copy of the log does not work", func() bool {
		up, found := victim.metric("oob_cluster_log_up")
		return found && up == 0
	})
	pass(2 * during)
	l.note("meanwhile the node says %q", victim.unready())
	b.settle(t, l, b.except(victim)...)
	check(t, os.Remove(victim.path("disk/ballast")))
	l.note("ready again in %s", b.ready(t, victim).Round(time.Millisecond))
	pass(before)
	work.end()
	b.settle(t, l, b.nodes...)
	b.readAgain(t, l, victim)
	l.conclude(t, noticed(2*time.Second))
}

// fullDisks fills the disks of all nodes: what is acknowledged nevertheless is there, and reading goes on.
func fullDisks(t *testing.T, b *bed) {
	b.whole(t)
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.nodes...)...)
	pass(before)
	for _, n := range b.nodes {
		n.fill(t)
	}
	full := time.Now()
	pass(2 * during)
	l.note("acknowledged with full disks %d, the first node says %q", len(l.since(full)), b.nodes[0].unready())
	b.settle(t, l, b.nodes...)
	for _, n := range b.nodes {
		check(t, os.Remove(n.path("disk/ballast")))
	}
	l.note("ready again in %s", b.ready(t, b.nodes...).Round(time.Millisecond))
	freed := time.Now()
	await(t, "acknowledgements again", func() bool { return len(l.since(freed)) > perSecond() })
	work.end()
	b.settle(t, l, b.nodes...)
	l.conclude(t, demand{errors: true})
}

// fill writes a file as long as there is room.
func (n *node) fill(t *testing.T) {
	t.Helper()
	file, err := os.Create(n.path("disk/ballast"))
	check(t, err)
	defer file.Close()
	block := make([]byte, 64<<10)
	for range (1 << 30) / len(block) {
		if _, err := file.Write(block); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("the disk does not fill up")
}

// wrongClock: a node whose clock is off serves nobody, and says why; the others go on.
func wrongClock(t *testing.T, b *bed) {
	wrong := b.nodes[2]
	right := b.except(wrong)
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, right...)...)
	await(t, wrong.name+" to complain about its clock", func() bool { return strings.Contains(wrong.unready(), "clock") })
	pass(during)
	for _, n := range right {
		if why := n.unready(); why != "" {
			t.Errorf("%s says %q", n.name, why)
		}
	}
	l.note("says %q", wrong.unready())
	work.end()
	b.settle(t, l, right...)
	l.conclude(t, smooth())
}

// comeBackEmpty kills a node and takes its disk away: a new machine with an old name.
func comeBackEmpty(t *testing.T, b *bed) {
	comeBack(t, b, func(dir string) error { return os.RemoveAll(dir) })
}

// comeBackDamaged kills a node and writes nonsense into the middle of whatever its log has written.
func comeBackDamaged(t *testing.T, b *bed) {
	comeBack(t, b, func(dir string) error {
		damaged := 0
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil || info.Size() < 64 {
				return err
			}
			file, err := os.OpenFile(name, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = file.WriteAt([]byte("this is not what was written here"), info.Size()/2)
			damaged++
			return errors.Join(err, file.Close())
		})
		if err == nil && damaged == 0 {
			err = errors.New("there is nothing to damage")
		}
		return err
	})
}

// comeBack kills a node under load, does something to its log, and starts it again.
func comeBack(t *testing.T, b *bed, harm func(dir string) error) {
	b.whole(t)
	victim := b.nodes[2]
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.nodes...)...)
	pass(before)
	victim.kill(t)
	check(t, harm(victim.log()))
	pass(before)
	victim.start(t)
	l.note("ready again in %s", b.ready(t, victim).Round(time.Millisecond))
	pass(before)
	work.end()
	b.settle(t, l, b.nodes...)
	l.conclude(t, noticed(2*time.Second))
}
