package config_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/go/packages"
)

// A key that is accepted but read by nobody is a lie to the user.
func TestConfig_everyKeyIsRead(t *testing.T) {
	loaded := loadPackages(t, "../..", "./internal/...", "./cmd/...")
	got := unreadKeys(loaded, "github.com/cocbridge/cocbridge/internal/config", "Config")
	if len(got) > 0 {
		t.Errorf("keys that no code reads: %q", got)
	}
}

// The negative control: a small module with one key of each kind.
func TestConfig_everyKeyIsRead_catches(t *testing.T) {
	loaded := loadPackages(t, "testdata/unread", "./...")
	want := []string{"unread/part.Config.Assigned (assigned)", "unread/part.Config.Unread (unread)", "unread/part.Config.Validated (validated)", "unread/part.Item.Unread (unread)"}
	if diff := cmp.Diff(want, unreadKeys(loaded, "unread/config", "Config")); diff != "" {
		t.Errorf("unread keys (-want +got):\n%s", diff)
	}
}

func loadPackages(t *testing.T, folder string, patterns ...string) []*packages.Package {
	t.Helper()
	mode := packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports
	loaded, err := packages.Load(&packages.Config{Context: t.Context(), Mode: mode, Dir: folder}, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range loaded {
		for _, e := range p.Errors {
			t.Fatal(e)
		}
	}
	return loaded
}

// unreadKeys lists the fields with a yaml tag, reachable from a type, that no
// code reads. The loader, the config.go files and the functions that set
// defaults or validate do not count, nor does an assignment. A field XFile with
// a sibling X is the loader's, which puts the file's content into X.
func unreadKeys(loaded []*packages.Package, root, name string) []string {
	used := map[*types.Var]bool{}
	keys := map[*types.Var]string{}
	for _, p := range loaded {
		if p.PkgPath == root {
			collectKeys(p.Types.Scope().Lookup(name).Type(), keys)
			continue
		}
		for _, file := range p.Syntax {
			if filepath.Base(p.Fset.Position(file.Pos()).Filename) != "config.go" {
				markUses(p.TypesInfo, file, used)
			}
		}
	}
	var unread []string
	for field, key := range keys {
		if !used[field] {
			unread = append(unread, key)
		}
	}
	slices.Sort(unread)
	return unread
}

// collectKeys adds the fields of t and of everything t is made of.
func collectKeys(t types.Type, keys map[*types.Var]string) {
	switch t := t.(type) {
	case *types.Pointer:
		collectKeys(t.Elem(), keys)
	case *types.Slice:
		collectKeys(t.Elem(), keys)
	case *types.Map:
		collectKeys(t.Elem(), keys)
	case *types.Named:
		s, ok := t.Underlying().(*types.Struct)
		if !ok {
			return
		}
		for i := range s.NumFields() {
			key, options, _ := strings.Cut(reflect.StructTag(s.Tag(i)).Get("yaml"), ",")
			field := s.Field(i)
			if key == "-" || key == "" && options == "" || keys[field] != "" {
				continue
			}
			if key != "" && !hasTwin(s, field.Name()) {
				keys[field] = fmt.Sprintf("%s.%s (%s)", types.TypeString(t, nil), field.Name(), key)
			}
			collectKeys(field.Type(), keys)
		}
	}
}

func hasTwin(s *types.Struct, name string) bool {
	twin, ok := strings.CutSuffix(name, "File")
	for f := range s.Fields() {
		if ok && f.Name() == twin {
			return true
		}
	}
	return false
}

// markUses adds the fields that file reads.
func markUses(info *types.Info, file *ast.File, used map[*types.Var]bool) {
	written := map[ast.Expr]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			name := strings.ToLower(n.Name.Name)
			return !strings.HasPrefix(name, "validate") && !strings.HasPrefix(name, "default")
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				written[left] = n.Tok == token.ASSIGN
			}
		case *ast.SelectorExpr:
			if field, ok := info.Uses[n.Sel].(*types.Var); ok && !written[n] {
				used[field] = true
			}
		}
		return true
	})
}
