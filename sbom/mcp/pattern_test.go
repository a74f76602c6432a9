package mcp

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestPatternsCompile compiles every expression of the package: one that does not
// would be found out only by the input that needs it.
func TestPatternsCompile(t *testing.T) {
	names, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			if f, ok := call.Fun.(*ast.Ident); !ok || f.Name != "lazy" {
				return true
			}
			if strings.HasSuffix(name, "pattern.go") {
				return true
			}
			n++
			if _, err := regexp.Compile(constant(t, call.Args[0])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return true
		})
	}
	if n < 50 {
		t.Errorf("only %d expressions were found", n)
	}
}

// constants are the named parts of patterns.
var constants = map[string]string{"homeFolder": homeFolder}

// constant is the value of a string constant, which may be pieced together.
func constant(t *testing.T, e ast.Expr) string {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		return s
	case *ast.BinaryExpr:
		return constant(t, e.X) + constant(t, e.Y)
	case *ast.Ident:
		return constants[e.Name]
	default:
		t.Fatalf("a pattern is no constant: %T", e)
		return ""
	}
}
