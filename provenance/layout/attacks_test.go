package layout

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/in-toto/in-toto-golang/in_toto"

	"countermark/provenance"
)

// refusals are the checks that refuse each supply chain that does not hold, each
// alone.
var refusals = map[string][]string{
	"signed by somebody else":                        {checkSignature},
	"signed by somebody else under the owner's name": {checkSignature},
	"expired":                                        {checkExpiry},
	"without steps":                                  {checkLayout},
	"a threshold of none":                            {checkLayout, checkArtifacts},
	"a threshold below none":                         {checkLayout},
	"a step whose name leads elsewhere":              {checkLayout, checkThreshold, checkArtifacts},
	"a step whose name is a pattern":                 {checkThreshold, checkArtifacts},
	"a rule that would forbid nothing":               {checkLayout},
	"a match with nothing":                           {checkLayout, checkArtifacts},
	"parameters":                                     {checkParameters},
	"an inspection":                                  {checkInspection},
	"an inspection behind a step that does not hold": {checkArtifacts, checkInspection},
	"a missing link":                                 {checkThreshold, checkArtifacts},
	"a link of a stranger":                           {demandLinkKey, demandLinkSignature},
	"a link of a stranger under another's name":      {demandLinkSignature},
	"a link of somebody who may do another step":     {demandLinkKey, demandLinkSignature},
	"the link of another step":                       {demandLinkStep, checkArtifacts},
	"one of two links":                               {checkThreshold},
	"one key under two names":                        {checkFunctions},
	"two links that differ":                          {checkAgreement},
	"a key that is none":                             {checkFunctions, demandLinkSignature},
	"a key of the wrong kind":                        {checkFunctions, demandLinkSignature},
	"a step for certificates":                        {demandLinkKey, demandLinkSignature},
	"a material that was changed on its way":         {checkArtifacts},
	"a product that nobody expects":                  {checkArtifacts},
	"a product that is not there":                    {checkArtifacts},
	"one name in two spellings":                      {demandLinkNames},
	"an artifact without a digest":                   {demandLinkDigests},
	"an artifact with a digest that binds nothing":   {demandLinkDigests},
	"a sublayout of a stranger":                      {demandLinkKey, demandLinkSignature, checkSignature},
	"a sublayout that has expired":                   {checkExpiry},
	"a sublayout with an inspection":                 {checkInspection},
	"a sublayout without its links":                  {checkThreshold, checkArtifacts},
	"a sublayout with other products":                {checkArtifacts},
}

// TestAttacks switches the checks off that refuse a supply chain: without them all
// it holds, and without some of them it does not. So each of them refuses it, and
// nothing else does.
func TestAttacks(t *testing.T) {
	seen := 0
	for _, tt := range supplyChains() {
		if tt.want == provenance.Verified {
			continue
		}
		seen++
		off := refusals[tt.name]
		t.Run(tt.name, func(t *testing.T) {
			c := newChain(t)
			tt.change(c)
			in := c.input(t)
			for bits := range 1 << len(off) {
				in.skip = map[string]bool{}
				for i, name := range off {
					in.skip[name] = bits>>i&1 == 1
				}
				report, err := Verify(t.Context(), in)
				check(t, err)
				all := bits == 1<<len(off)-1
				if r := report.Result; len(off) == 0 || (r.State == provenance.Verified) != all {
					t.Errorf("without %v it is %s: %s", in.skip, r.State, r.Reason)
				}
			}
		})
	}
	if seen != len(refusals) {
		t.Errorf("%d supply chains do not hold, and of %d it is said why", seen, len(refusals))
	}
}

// TestForeignProduct does the same for a file that is no product of the layout.
func TestForeignProduct(t *testing.T) {
	in := newChain(t).input(t)
	for _, off := range []bool{false, true} {
		in.skip = map[string]bool{checkProduct: off}
		report, err := Verify(t.Context(), in)
		check(t, err)
		r, err := report.Artifact(artifact("another tar"))
		check(t, err)
		if (r.State == provenance.Verified) != off {
			t.Errorf("the check switched off: %t: %s (%s)", off, r.State, r.Reason)
		}
	}
}

// TestEveryCheckHasItsAttack: a check that no attack needs could be removed, and
// nobody would notice. It looks for the checks in the source.
func TestEveryCheckHasItsAttack(t *testing.T) {
	needed := []string{checkProduct} // TestForeignProduct
	for _, off := range refusals {
		needed = append(needed, off...)
	}
	files, err := filepath.Glob("*.go")
	check(t, err)
	constant, named := regexp.MustCompile(`^(check|demand)[A-Z]`), 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		check(t, err)
		ast.Inspect(tree, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 && constant.MatchString(spec.Names[0].Name) {
				named++
				if value, ok := spec.Values[0].(*ast.BasicLit); !ok || !slices.Contains(needed, strings.Trim(value.Value, `"`)) {
					t.Errorf("no attack needs the check %s: add one to refusals", spec.Names[0].Name)
				}
			}
			if call, ok := n.(*ast.CallExpr); ok && len(call.Args) > 0 {
				if f, ok := call.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "check" {
					if name, ok := call.Args[0].(*ast.Ident); !ok || !constant.MatchString(name.Name) {
						t.Errorf("%s: a check is made under a name that is no constant check…", file)
					}
				}
			}
			return true
		})
	}
	if named < 15 {
		t.Errorf("only %d checks were found", named)
	}
}

// opened is a folder that notes which of its files are opened.
type opened struct {
	fstest.MapFS

	names []string
}

func (o *opened) Open(name string) (fs.File, error) {
	o.names = append(o.names, name)
	return o.MapFS.Open(name)
}

// A pipe waits for somebody who writes: it is never opened, in the place of no
// file and of no folder, in a sublayout's folder neither.
func TestPipesAreNotOpened(t *testing.T) {
	c := newChain(t)
	sublayout(nil)(c)
	in := c.input(t)
	dir := "write." + short(c.alice.KeyID)
	pipe := &fstest.MapFile{Mode: fs.ModeNamedPipe}
	names := []string{dir, fileName("package", c.bob.KeyID)}
	for name := range c.sublayouts {
		if strings.HasPrefix(name, dir+"/") {
			names = append(names, name)
		}
	}
	for _, name := range names {
		links := &opened{MapFS: fstest.MapFS{}}
		for file, data := range c.files(t) {
			if file != name && !strings.HasPrefix(file, name+"/") {
				links.MapFS[file] = data
			}
		}
		links.MapFS[name] = pipe
		in.Links = links
		report, err := Verify(t.Context(), in)
		check(t, err)
		if r := report.Result; r.State != provenance.Invalid {
			t.Errorf("%s is a pipe: %s: %s", name, r.State, r.Reason)
		}
		if slices.Contains(links.names, name) {
			t.Errorf("the pipe %s is opened", name)
		}
	}
}

// Whoever may put files beside the links does not keep a supply chain from being
// verified by their number.
func TestManyStrangers(t *testing.T) {
	c := newChain(t)
	in := c.input(t)
	links := c.files(t)
	for i := range maxLinks + 1 {
		links[fmt.Sprintf("write.%08x.link", i)] = &fstest.MapFile{Data: []byte("{}")}
	}
	in.Links = links
	report, err := Verify(t.Context(), in)
	check(t, err)
	if r := report.Result; r.State != provenance.Verified || len(report.Warnings) == 0 {
		t.Errorf("got %s: %s, %d warnings", r.State, r.Reason, len(report.Warnings))
	}
}

// stuck is a folder in which nothing is ever read to its end.
type stuck struct {
	fs.FS

	asked   func()
	release chan struct{}
}

func (s *stuck) Open(name string) (fs.File, error) {
	s.asked()
	<-s.release
	return s.FS.Open(name)
}

// Whatever is waited for below, and however long the library holds names against
// patterns, the context ends it.
func TestContextEndsIt(t *testing.T) {
	in := newChain(t).input(t)
	ctx, cancel := context.WithCancel(t.Context())
	links := &stuck{FS: in.Links, asked: cancel, release: make(chan struct{})}
	t.Cleanup(func() { close(links.release) })
	in.Links = links
	if _, err := Verify(ctx, in); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Which of a thousand rules does not hold, and for which of a thousand artifacts,
// is found with a few questions.
func TestBrokenAsksLittle(t *testing.T) {
	artifacts := map[string]in_toto.HashObj{}
	var rules [][]string
	for i := range maxNamed {
		artifacts[fmt.Sprintf("d%04d", i)] = digestOf("x")
		rules = append(rules, []string{"ALLOW", fmt.Sprintf("e%04d", i)})
	}
	rules[700] = []string{"DISALLOW", "d07??"}
	link := newLink("write", nil, nil)
	link.Products = artifacts
	links := map[string]in_toto.Metadata{"write": &in_toto.Metablock{Signed: link}}
	asked := 0
	holds := func(rules [][]string) bool {
		asked++
		step := in_toto.Step{SupplyChainItem: in_toto.SupplyChainItem{Name: "write", ExpectedProducts: rules}}
		return in_toto.VerifyArtifacts([]any{step}, links) == nil
	}
	if got, want := broken("product", rules, artifacts, holds), `the product d0700 breaks the rule "DISALLOW d07??"`; got != want || asked > 25 {
		t.Errorf("got %q, want %q; asked %d times", got, want, asked)
	}
}
