package archtest_test

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEachPackageHasOneComment(t *testing.T) { keep(t, packageCommentFaults(rooms, goFiles(t))) }

// packageCommentFaults wants of every package exactly one comment that says what it is; of a room, also what it knows.
func packageCommentFaults(rows []room, files []file) []string {
	aside := map[string]bool{}
	for _, r := range rows {
		aside[r.path] = r.aside
	}
	comments, name := map[string][]file{}, map[string]string{}
	for _, f := range files {
		if f.isTest() {
			continue
		}
		name[f.dir()] = f.ast.Name.Name
		if f.ast.Doc != nil {
			comments[f.dir()] = append(comments[f.dir()], f)
		}
	}
	var complaints []string
	for dir, pkg := range name {
		if n := len(comments[dir]); n != 1 {
			complaints = append(complaints, complaint(dir, 0, "%d package comments, want exactly one", n))
			continue
		}
		text := strings.Join(strings.Fields(comments[dir][0].ast.Doc.Text()), " ")
		first, _, _ := strings.Cut(text, " ")
		switch {
		case strings.Contains(text, "Copyright") || strings.Contains(text, "SPDX"):
			complaints = append(complaints, complaint(dir, 0, "the package comment is a licence; LICENSE says it once"))
		case pkg != "main" && !strings.HasPrefix(text, "Package "+pkg+" "), pkg == "main" && first == "Package":
			complaints = append(complaints, complaint(dir, 0, "the package comment must begin with %q, of a command with its name", "Package "+pkg))
		case !aside[dir] && !(strings.Contains(text, "Knows:") && strings.Contains(text, "Never hears of:")):
			complaints = append(complaints, complaint(dir, 0, "the package comment must say Knows: and Never hears of:"))
		}
	}
	slices.Sort(complaints)
	return complaints
}

func TestPackageCommentsAreWanted(t *testing.T) {
	rows := []room{{path: "a"}, {path: "tool", aside: true}}
	good := "// Package a is.\n//\n// Knows: x. Never hears of: y.\npackage a"
	for _, c := range []struct {
		name  string
		files []string
		want  string
	}{
		{"good", []string{"a/a.go", good, "a/b.go", "package a"}, ""},
		{"none", []string{"a/a.go", "package a"}, "0 package comments"},
		{"two", []string{"a/a.go", good, "a/b.go", good}, "2 package comments"},
		{"licence", []string{"a/a.go", "// Copyright us.\npackage a"}, "licence"},
		{"other name", []string{"a/a.go", "// Package b is.\npackage a"}, "must begin with"},
		{"knows nothing", []string{"a/a.go", "// Package a is.\npackage a"}, "must say Knows:"},
		{"a tool", []string{"tool/a.go", "// Tool does.\npackage main"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) { catches(t, packageCommentFaults(rows, example(t, c.files...)), c.want) })
	}
}

func TestCommentsGiveReasons(t *testing.T) {
	for _, f := range goFiles(t) {
		keep(t, reasonFaults(f))
	}
}

var ticketless = regexp.MustCompile(`\b(TODO|FIXME)\b(\(#\d+\))?`)

// reasonFaults wants a ticket for whatever is left to do, a reason for every panic and every silenced lint.
func reasonFaults(f file) []string {
	var complaints []string
	commented := map[int]bool{} // lines on which a comment ends
	for _, group := range f.ast.Comments {
		commented[f.line(group.End())] = true
		for _, c := range group.List {
			for _, m := range ticketless.FindAllStringSubmatch(c.Text, -1) {
				if m[2] == "" {
					complaints = append(complaints, complaint(f.path, f.line(c.Pos()), "%s without a ticket: write TODO(#n)", m[1]))
				}
			}
			if rest, ok := strings.CutPrefix(c.Text, "//lint:"); ok && len(strings.Fields(rest)) < 3 {
				complaints = append(complaints, complaint(f.path, f.line(c.Pos()), "a silenced lint needs its reason on the line"))
			}
		}
	}
	if f.isTest() {
		return complaints
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && isNamed(call.Fun, "panic") {
			if line := f.line(call.Pos()); !commented[line] && !commented[line-1] {
				complaints = append(complaints, complaint(f.path, line, "panic without a comment that says why it cannot happen on input"))
			}
		}
		return true
	})
	return complaints
}

func isNamed(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func TestMissingReasonsAreCaught(t *testing.T) {
	todo := "TO" + "DO"
	for _, c := range []struct{ name, path, text, want string }{
		{"ticket", "a/a.go", "package a // " + todo + "(#4): more", ""},
		{"no ticket", "a/a.go", "package a // " + todo + ": more", "without a ticket"},
		{"panic", "a/a.go", "package a\n\nfunc f() {\n\tpanic(1)\n}", "panic without"},
		{"panic with reason", "a/a.go", "package a\n\nfunc f() {\n\tpanic(1) // a caller's mistake\n}", ""},
		{"panic with reason above", "a/a.go", "package a\n\nfunc f() {\n\t// a caller's mistake\n\tpanic(1)\n}", ""},
		{"panic in a test", "a/a_test.go", "package a\n\nfunc f() {\n\tpanic(1)\n}", ""},
		{"lint", "a/a.go", "package a\n\n//lint:ignore SA1019\nfunc f() {}", "needs its reason"},
		{"lint with reason", "a/a.go", "package a\n\n//lint:ignore SA1019 the peer speaks nothing newer\nfunc f() {}", ""},
	} {
		t.Run(c.name, func(t *testing.T) { catches(t, reasonFaults(example(t, c.path, c.text)[0]), c.want) })
	}
}

func TestTestsAreHonest(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.isTest() {
			keep(t, testFaults(f))
		}
	}
}

// testFaults refuses sleeping on the real clock, and skipping without saying why. Benchmarks, in bench_test.go, may keep a pace.
func testFaults(f file) []string {
	var complaints []string
	mayWait := slices.Contains(f.imports(), "testing/synctest") || path.Base(f.path) == "bench_test.go"
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		say := func(text string) { complaints = append(complaints, complaint(f.path, f.line(call.Pos()), "%s", text)) }
		switch {
		case isNamed(sel.X, "time") && sel.Sel.Name == "Sleep" && !mayWait:
			say("time.Sleep outside a testing/synctest bubble: wait for the event itself")
		case sel.Sel.Name == "SkipNow", sel.Sel.Name == "Skip" && len(call.Args) == 0:
			say("a skipped test says why: use Skip with a sentence")
		}
		return true
	})
	return complaints
}

func TestWhatRapidDrawsIsSeeded(t *testing.T) { keep(t, unseeded(goFiles(t))) }

// unseeded finds tests that draw something else each time.
func unseeded(files []file) []string {
	const rapid, seeds = "pgregory.net/rapid", "internal/seedtest"
	seeded := map[string]bool{}
	for _, f := range files {
		seeded[f.dir()] = seeded[f.dir()] || slices.Contains(f.imports(), seeds)
	}
	var complaints []string
	for _, f := range files {
		if f.isTest() && slices.Contains(f.imports(), rapid) && !seeded[f.dir()] {
			complaints = append(complaints, complaint(f.path, 1, "draws something else each time: import %s", seeds))
		}
	}
	return complaints
}

func TestUnseededTestsAreCaught(t *testing.T) {
	draws := example(t, "a/a_test.go", "package a\n\nimport \"pgregory.net/rapid\"")
	seeds := example(t, "a/b_test.go", "package a\n\nimport _ \""+module+"/internal/seedtest\"")
	catches(t, unseeded(draws), "draws something else")
	catches(t, unseeded(append(draws, seeds...)), "")
}

func TestDishonestTestsAreCaught(t *testing.T) {
	for _, c := range []struct{ name, path, text, want string }{
		{"sleep", "a/a_test.go", "package a\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }", "time.Sleep outside"},
		{"pace of a benchmark", "a/bench_test.go", "package a\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }", ""},
		{"sleep in a bubble", "a/a_test.go", "package a\n\nimport (\n\t\"time\"\n\t\"testing/synctest\"\n)\n\nfunc f() { time.Sleep(1); synctest.Wait() }", ""},
		{"skip", "a/a_test.go", "package a\n\nfunc f(t T) { t.Skip() }", "says why"},
		{"skip now", "a/a_test.go", "package a\n\nfunc f(t T) { t.SkipNow() }", "says why"},
		{"skip with reason", "a/a_test.go", "package a\n\nfunc f(t T) { t.Skip(\"sipp is not installed\") }", ""},
	} {
		t.Run(c.name, func(t *testing.T) { catches(t, testFaults(example(t, c.path, c.text)[0]), c.want) })
	}
}
