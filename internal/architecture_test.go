package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// edges is the architecture: which of our packages each package may import.
// Imports go down only, and packages of layers 1 and 2 do not know their
// neighbours. "any" stands for everything but coctest. Tests may import freely.
var edges = map[string]string{
	// layer 5: the command line
	"cmd/cocbridge": "any internal/coc/coctest",
	// layer 4: the only wirer
	"internal/bridge": "any",
	// layer 3: what the operator sees
	"internal/config": "internal/coc internal/forwarder internal/incidents internal/ledger internal/mapping internal/receivers internal/scripts internal/secret internal/store",
	"internal/admin":  "internal/secret",
	// layer 2: the two borders and the pure middle; none imports another
	"internal/receivers": "internal/alert internal/secret",
	"internal/mapping":   "internal/alert internal/coc internal/match internal/render",
	"internal/incidents": "internal/alert internal/coc internal/match internal/render internal/store",
	"internal/scripts":   "internal/alert internal/coc internal/match internal/render internal/store",
	"internal/forwarder": "internal/coc internal/queue internal/secret internal/store internal/task",
	// layer 1: durable state and its contract
	"internal/task":            "internal/alert internal/coc",
	"internal/queue":           "internal/store",
	"internal/queue/queuetest": "internal/queue internal/store",
	"internal/ledger":          "internal/store",
	"internal/match":           "internal/alert internal/render",
	"internal/render":          "internal/alert",
	// layer 0: leaves
	"internal/alert":       "",
	"internal/secret":      "",
	"internal/coc":         "internal/secret",
	"internal/coc/coctest": "internal/coc internal/secret",
	"internal/store":       "",
}

// goroutines lists the files that start goroutines, and what for. Whoever starts
// one waits for it, so a new file here is a decision.
var goroutines = map[string]string{
	"cmd/cocbridge/serve.go":            "waits for SIGHUP",
	"cmd/cocbridge/simulate.go":         "closes the listener of the simulation",
	"internal/bridge/commit.go":         "the committer, which outlives all other parts",
	"internal/coc/spare.go":             "renewals of tokens and keys that no call waits for",
	"internal/forwarder/forwarder.go":   "the workers",
	"internal/queue/queuetest/bench.go": "a Take that waits, in tests",
}

// pure packages have no logger: what they have to say is in their results.
const pure = "internal/alert internal/secret internal/coc internal/store internal/task internal/queue internal/ledger internal/render internal/match internal/mapping"

// alertmanagerPackages are the three that bring six modules along; its config
// and notify packages would bring eighty.
const alertmanagerPackages = "template pkg/labels matcher/parse"

const (
	module             = "github.com/cocbridge/cocbridge/"
	maxDirect          = 20 // modules that go.mod requires directly
	alertmanagerModule = "github.com/prometheus/alertmanager/"
)

func TestArchitecture(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, problem := range checkEdges(p) {
			t.Error(problem)
		}
		for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			file := parseFile(t, filepath.Join(p.Dir, name), nil)
			for _, problem := range checkFile(p.short(), name, file) {
				t.Error(problem)
			}
		}
	}
}

func TestArchitecture_tablesHaveNoLeftovers(t *testing.T) {
	packages := map[string]bool{}
	for _, p := range listPackages(t) {
		packages[p.short()] = true
	}
	for name := range edges {
		if !packages[name] {
			t.Errorf("the table of edges names %s, which does not exist", name)
		}
	}
	for name := range goroutines {
		found := false
		for n := range ast.Preorder(parseFile(t, filepath.Join("..", name), nil).syntax) {
			found = found || startsGoroutine(n)
		}
		if !found {
			t.Errorf("the table of goroutines names %s, which starts none", name)
		}
	}
}

func TestModule_requiresFewOthers(t *testing.T) {
	var mod struct{ Require []struct{ Indirect bool } }
	if err := json.Unmarshal(run(t, "go", "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	direct := 0
	for _, r := range mod.Require {
		if !r.Indirect {
			direct++
		}
	}
	if direct == 0 || direct > maxDirect {
		t.Errorf("go.mod requires %d modules directly, want 1 to %d", direct, maxDirect)
	}
}

// The negative control: what the checks must catch, so that silence means
// something.
func TestArchitecture_catches(t *testing.T) {
	for _, c := range []struct{ name, pkg, file, source, want string }{
		{"an edge upwards", "internal/store", "a.go", `import _ "github.com/cocbridge/cocbridge/internal/queue"`, "internal/store may not import internal/queue"},
		{"a neighbour", "internal/mapping", "a.go", `import _ "github.com/cocbridge/cocbridge/internal/receivers"`, "internal/mapping may not import internal/receivers"},
		{"the test server in the product", "internal/bridge", "a.go", `import _ "github.com/cocbridge/cocbridge/internal/coc/coctest"`, "internal/bridge may not import internal/coc/coctest"},
		{"a package without a row", "internal/util", "a.go", ``, "internal/util is not in the table of edges"},
		{"bbolt elsewhere", "internal/queue", "a.go", `import _ "go.etcd.io/bbolt"`, "internal/queue/a.go: go.etcd.io/bbolt belongs in internal/store"},
		{"bbolt below its root", "internal/queue", "a.go", `import _ "go.etcd.io/bbolt/errors"`, "internal/queue/a.go: go.etcd.io/bbolt/errors belongs in internal/store"},
		{"metrics outside metrics.go", "internal/forwarder", "a.go", `import _ "github.com/prometheus/client_golang/prometheus"`, "internal/forwarder/a.go: github.com/prometheus/client_golang/prometheus belongs in a metrics.go or in internal/admin"},
		{"a logger in a pure package", "internal/store", "a.go", `import _ "go.uber.org/zap"`, "internal/store/a.go: a pure package has no logger"},
		{"a heavy package of Alertmanager", "internal/bridge", "a_test.go", `import _ "github.com/prometheus/alertmanager/config"`, "internal/bridge/a_test.go: of Alertmanager only template, pkg/labels, matcher/parse"},
		{"a goroutine", "internal/queue", "a.go", `func f() { go f() }`, "internal/queue/a.go:2: a goroutine starts here"},
		{"a goroutine of a group", "internal/queue", "a.go", `func f(g interface{ Go(func()) }) { g.Go(nil) }`, "internal/queue/a.go:2: a goroutine starts here"},
		{"a timer with a function", "internal/queue", "a.go", "import \"time\"\nfunc f() { time.AfterFunc(1, f) }", "internal/queue/a.go:3: a goroutine starts here"},
		{"a sleeping test", "internal/queue", "a_test.go", "import \"time\"\nfunc f() { time.Sleep(1) }", "internal/queue/a_test.go:3: tests do not sleep; fake the time"},
		{"a skipped test", "internal/queue", "a_test.go", "func f(t interface{ Skip() }) { t.Skip() }", "internal/queue/a_test.go:2: tests are not skipped"},
		{"nothing in a synctest bubble", "internal/queue", "a_test.go", "import (\"testing/synctest\"; \"time\")\nfunc f() { synctest.Test(nil, func() { time.Sleep(1) }) }", ""},
		{"nothing in a metrics.go", "internal/forwarder", "metrics.go", `import _ "github.com/prometheus/client_golang/prometheus"`, ""},
		{"nothing in a test", "internal/queue", "a_test.go", "import _ \"go.etcd.io/bbolt\"\nfunc f() { go f() }", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := parseFile(t, c.file, "package a\n"+c.source)
			p := pkg{ImportPath: module + c.pkg}
			if !strings.HasSuffix(c.file, "_test.go") {
				p.Imports = imports(file.syntax)
			}
			got := strings.Join(append(checkEdges(p), checkFile(c.pkg, c.file, file)...), "\n")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// pkg is what go list says of a package.
type pkg struct {
	ImportPath, Dir                    string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports                            []string
}

func (p pkg) short() string { return strings.TrimPrefix(p.ImportPath, module) }

// checkEdges compares the imports of a package with its row of the table.
// Folders that hold only tests are free.
func checkEdges(p pkg) []string {
	row, ok := edges[p.short()]
	if !ok && (len(p.GoFiles) > 0 || len(p.XTestGoFiles) == 0) {
		return []string{p.short() + " is not in the table of edges"}
	}
	allowed := strings.Fields(row)
	var problems []string
	for _, path := range p.Imports {
		to, ours := strings.CutPrefix(path, module)
		free := slices.Contains(allowed, "any") && to != "internal/coc/coctest"
		if ours && !free && !slices.Contains(allowed, to) {
			problems = append(problems, p.short()+" may not import "+to)
		}
	}
	return problems
}

type source struct {
	set    *token.FileSet
	syntax *ast.File
}

// checkFile applies the rules that look into one file.
func checkFile(in, name string, s source) []string {
	test := strings.HasSuffix(name, "_test.go")
	where := in + "/" + name
	var problems []string
	for _, path := range imports(s.syntax) {
		if text := checkImport(in, name, path, test); text != "" {
			problems = append(problems, where+": "+text)
		}
	}
	at := func(n ast.Node) string { return fmt.Sprintf("%s:%d: ", where, s.set.Position(n.Pos()).Line) }
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		switch called := callee(n); {
		case !test && startsGoroutine(n) && goroutines[where] == "":
			problems = append(problems, at(n)+"a goroutine starts here")
		case called == "synctest.Test":
			return false
		case test && called == "time.Sleep":
			problems = append(problems, at(n)+"tests do not sleep; fake the time")
		case test && isSkip(called):
			problems = append(problems, at(n)+"tests are not skipped")
		}
		return true
	})
	return problems
}

// checkImport applies the rules about modules of others.
func checkImport(in, file, path string, test bool) string {
	below := func(root string) bool { return path == root || strings.HasPrefix(path, root+"/") }
	sub, alertmanager := strings.CutPrefix(path, alertmanagerModule)
	switch {
	case alertmanager && !slices.Contains(strings.Fields(alertmanagerPackages), sub):
		return "of Alertmanager only " + strings.ReplaceAll(alertmanagerPackages, " ", ", ")
	case test:
	case below("go.etcd.io/bbolt") && in != "internal/store":
		return path + " belongs in internal/store"
	case below("github.com/prometheus/client_golang") && file != "metrics.go" && in != "internal/admin":
		return path + " belongs in a metrics.go or in internal/admin"
	case below("go.uber.org/zap") && slices.Contains(strings.Fields(pure), in):
		return "a pure package has no logger"
	}
	return ""
}

func startsGoroutine(n ast.Node) bool {
	_, statement := n.(*ast.GoStmt)
	called := callee(n)
	return statement || strings.HasSuffix(called, ".Go") || strings.HasSuffix(called, ".AfterFunc")
}

func isSkip(called string) bool {
	_, method, _ := strings.Cut(called, ".")
	return slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, method)
}

// callee returns "x.Method" of a call; of a longer chain, its last part.
func callee(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, _ := selector.X.(*ast.Ident)
	if x == nil {
		return "." + selector.Sel.Name
	}
	return x.Name + "." + selector.Sel.Name
}

func imports(file *ast.File) []string {
	var paths []string
	for _, spec := range file.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}

func parseFile(t *testing.T, name string, text any) source {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return source{set, file}
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(run(t, "go", "list", "-json", "./...")))
	var all []pkg
	for {
		var p pkg
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// run executes a command in the folder of the module.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return out
}
