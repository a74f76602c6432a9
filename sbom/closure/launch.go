package closure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"countermark/sbom"
	lockfile "countermark/sbom/node"
)

// Properties of what a registry answered. They stand beside what was configured
// and never replace it.
const (
	PropertyAt            = "countermark:resolved:at"             // when, RFC 3339
	PropertyVersion       = "countermark:resolved:version"        // on what is launched: the version that it is now
	PropertyIntegrity     = "countermark:resolved:integrity"      // on what is launched by an exact version: what the registry says of its bytes
	PropertyRequest       = "countermark:resolved:request"        // on the version that a launch gets: what the launch asks for; empty requests stand as *
	PropertyInstallScript = "countermark:resolved:install-script" // it runs code when it is installed
	PropertyUnresolved    = "countermark:resolved:unresolved"     // a dependency of which only something else than the registry knows, and why
)

// Launches resolves what the servers of an inventory would fetch from npm's
// registry. Launches by npx get their whole closure; other launchers (bunx, pnpm
// dlx, …) place packages by rules of their own, so of theirs only the version is
// resolved. What a launch fetches from a registry that it chooses by itself is
// asked of nobody.
type Launches struct {
	Source  Source
	At      time.Time // of the answers
	Options Options
}

// PlacesAsNPM reports whether a launcher installs as npm does. Others (bunx, pnpm
// dlx, …) place packages by rules of their own.
func PlacesAsNPM(launcher string) bool { return slices.Contains(placesAsNPM, launcher) }

// placesAsNPM are the launchers whose installation is npm's. Descriptors of
// servers name none, and their clients start npx.
var placesAsNPM = []string{"npx", "npm exec", "npm x", ""}

// Resolve adds the answers to what readers found. What cannot be known becomes a
// problem of the configuration, at the server's line. It has the signature of
// [sbom.Options].Resolve.
func (l Launches) Resolve(ctx context.Context, b *sbom.Builder) error {
	x := &extension{Launches: l, b: b, known: map[string]*Closure{}}
	for _, s := range b.Launched() {
		for _, g := range together(b, s) {
			if err := x.add(ctx, s, g); err != nil {
				return err
			}
		}
	}
	return nil
}

// launch is one package that is fetched.
type launch struct {
	id      sbom.ID
	request Request
	pin     sbom.Pin
}

// together returns the packages of a server that npm's registry has to be asked
// for: each inner list is installed into one folder.
func together(b *sbom.Builder, s sbom.Launched) []installation {
	var out []installation
	for i, l := range s.Server.Launches {
		if l.Kind != sbom.KindNPM || s.IDs[i] == sbom.NoID || !Fetched(l.Pin) {
			continue
		}
		one := launch{id: s.IDs[i], request: Request{Name: b.Instance(s.IDs[i]).Name, Spec: l.Request}, pin: l.Pin}
		n := len(out) - 1
		if n >= 0 && !l.Nested && !out[n].nested && out[n].launcher == l.Launcher {
			out[n].launches = append(out[n].launches, one)
			continue
		}
		out = append(out, installation{launcher: l.Launcher, steered: l.Steered, nested: l.Nested, launches: []launch{one}})
	}
	return out
}

// Fetched reports whether a registry decides what runs, or at least what comes
// with it.
func Fetched(p sbom.Pin) bool {
	switch p {
	case sbom.PinExact, sbom.PinRange, sbom.PinDistTag, sbom.PinUnversioned:
		return true
	default:
		return false
	}
}

// installation is what one folder holds for a launch.
type installation struct {
	launcher string
	steered  string // what changes npm's answer; empty where nothing does
	nested   bool
	launches []launch
}

func (i installation) requests() []Request {
	out := make([]Request, len(i.launches))
	for n, l := range i.launches {
		out[n] = l.request
	}
	return out
}

func (i installation) String() string {
	var words []string
	for _, r := range i.requests() {
		words = append(words, r.String())
	}
	return strings.Join(words, ", ")
}

// extension adds closures to a builder.
type extension struct {
	Launches
	b     *sbom.Builder
	known map[string]*Closure // by what was asked for
}

func (x *extension) add(ctx context.Context, launched sbom.Launched, in installation) error {
	s := launched.Server
	at := sbom.Occurrence{Path: s.File, Line: s.Line, Column: s.Column}
	problem := func(code sbom.ProblemCode, hint, format string, args ...any) {
		x.b.Problem(s.File, sbom.Problem{Code: code, Line: s.Line, Column: s.Column, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	if slices.ContainsFunc(s.Risks, func(r sbom.Risk) bool { return r.Code == sbom.RiskRegistry }) {
		problem(sbom.Unresolved, "take the registry out of the launch", "%s comes from a registry that the launch itself chooses, which is not asked", in)
		return nil
	}
	if what := in.steered; what != "" {
		problem(sbom.Unresolved, "take it out of the launch", "what %s would be today is not known: %s changes what npm selects", in, what)
		return nil
	}
	c, err := x.resolve(ctx, in)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		problem(sbom.Unresolved, hint(err), "what %s would be today is not known: %v", in, err)
		return nil
	}
	itself, within := c.Gaps()
	if itself != "" {
		problem(sbom.Unresolved, "check the name and the version", "%s", itself)
	}
	if within != "" && PlacesAsNPM(in.launcher) {
		problem(sbom.Unresolved, "look at it by hand: nobody judged what it is", "what comes with %s is not all known: %s", in, within)
	}
	if !PlacesAsNPM(in.launcher) {
		problem(sbom.Warning, "", "what %s installs beside %s is not known: it follows rules of its own", in.launcher, in)
		c = c.rootsOnly()
	}
	x.join(launched.ID, c, in, at)
	return nil
}

func hint(err error) string {
	if errors.Is(err, ErrLimit) {
		return "nothing real is that large: look at what the package depends on"
	}
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return "try again later, or give a recorded snapshot"
}

func (x *extension) resolve(ctx context.Context, in installation) (*Closure, error) {
	key := fmt.Sprintf("%q", in.requests())
	if c := x.known[key]; c != nil {
		return c, nil
	}
	c, err := Resolve(ctx, x.Source, in.requests(), x.Options)
	if err == nil {
		x.known[key] = c
	}
	return c, err
}

// Gaps say what is unresolved of the launch itself and of what comes with it, in
// lower-case words for people; empty where nothing is.
func (c *Closure) Gaps() (launched, within string) {
	var roots, others []string
	for _, u := range c.Unresolved {
		text := fmt.Sprintf("%s: %s", shown(u.Name), u.why())
		if u.From == "" {
			roots = append(roots, text)
		} else {
			others = append(others, text)
		}
	}
	return some(roots), some(others)
}

// some are the first texts of a list, and how many there are more.
func some(list []string) string {
	const few = 3
	if len(list) > few {
		list = append(list[:few:few], fmt.Sprintf("and %d more", len(list)-few))
	}
	return strings.Join(list, "; ")
}

// rootsOnly is what is launched, without what comes with it.
func (c *Closure) rootsOnly() *Closure {
	out := &Closure{Roots: c.Roots}
	for _, p := range c.Packages {
		if slices.Contains(c.Roots, p.Path) {
			out.Packages = append(out.Packages, p)
			out.Unresolved = append(out.Unresolved, Unresolved{From: p.Path, Reason: ReasonLauncher})
		}
	}
	return out
}

func (u Unresolved) why() string {
	if u.Detail != "" {
		return string(u.Reason) + ": " + u.Detail
	}
	return string(u.Reason)
}

// join adds the packages of a closure, their edges, and links what is launched.
func (x *extension) join(server sbom.ID, c *Closure, in installation, at sbom.Occurrence) {
	missing := map[string][]string{}
	for _, u := range c.Unresolved {
		missing[u.From] = append(missing[u.From], strings.TrimPrefix(u.Name+": ", ": ")+string(u.Reason))
	}
	ids := map[string]sbom.ID{}
	for i, l := range in.launches {
		root := c.Package(c.Roots[i])
		if root == nil {
			x.b.Note(l.id, sbom.UnknownCoverage, x.facts(PropertyUnresolved, strings.Join(missing[""], "; "))...)
			continue
		}
		version := x.facts(PropertyVersion, root.Version)
		if l.pin == sbom.PinExact {
			// Nothing but the registry says which bytes the version has: that is a fact
			// beside the configuration, not one of it.
			x.b.Note(l.id, coverage(missing[root.Path]), append(version, x.details(root, missing[root.Path], PropertyIntegrity, root.Integrity)...)...)
			ids[root.Path] = l.id
			continue
		}
		id, ok := ids[root.Path]
		if !ok {
			id = x.b.Add(x.component(root, missing[root.Path]), sbom.Use{}, at)
			ids[root.Path] = id
		}
		x.b.Note(id, coverage(missing[root.Path]), sbom.Property{Name: PropertyRequest, Value: cmp.Or(shown(l.request.Spec), "*")})
		x.b.Note(l.id, sbom.CompleteCoverage, version...)
		// The server would run this very version, whatever it was configured as.
		x.b.Link(l.id, id)
		x.b.Link(server, id)
	}
	for i := range c.Packages {
		p := &c.Packages[i]
		if _, there := ids[p.Path]; !there && p.Link == "" {
			ids[p.Path] = x.b.Add(x.component(p, missing[p.Path]), sbom.Use{Optional: p.Optional}, at)
		}
	}
	for i := range c.Packages {
		if p := &c.Packages[i]; p.Link != "" {
			ids[p.Path] = ids[p.Link]
		}
	}
	for _, e := range c.Edges {
		from, ok := ids[e.From]
		if to, there := ids[e.To]; ok && there {
			x.b.Link(from, to)
		}
	}
}

func coverage(missing []string) sbom.Coverage {
	if len(missing) > 0 {
		return sbom.IncompleteCoverage
	}
	return sbom.CompleteCoverage
}

// facts are a property of a registry's answer, with its time.
func (x *extension) facts(name, value string) []sbom.Property {
	return []sbom.Property{{Name: PropertyAt, Value: x.At.UTC().Format(time.RFC3339)}, {Name: name, Value: value}}
}

func (x *extension) details(p *Package, missing []string, name, value string) []sbom.Property {
	var out []sbom.Property
	if value != "" {
		out = append(out, sbom.Property{Name: name, Value: value})
	}
	if p.InstallScript {
		out = append(out, sbom.Property{Name: PropertyInstallScript, Value: "true"})
	}
	for _, m := range missing {
		out = append(out, sbom.Property{Name: PropertyUnresolved, Value: m})
	}
	return out
}

func (x *extension) component(p *Package, missing []string) sbom.Component {
	hashes, _ := sbom.ParseIntegrity(p.Integrity) // what is no digest says nothing
	c := sbom.Component{
		Type: sbom.Library, Ecosystem: sbom.NPM, Name: p.Name, Version: p.Version,
		PURL:   sbom.NPMPackageURL(p.Name, p.Version),
		Source: sbom.FromRegistry, Hashes: hashes, Coverage: coverage(missing), Answered: true,
		Properties: append(x.facts(PropertyAt, "")[:1], x.details(p, missing, "", "")...),
	}
	if p.Bundled {
		c.Source, c.Bundled = sbom.FromParent, true
		return c
	}
	c.Resolved, c.Distribution = lockfile.Distribution(p.Tarball)
	return c
}

// shown is a request as it may be shown: a launch can hold anything.
func shown(spec string) string {
	if sbom.LooksSecret(spec) {
		return sbom.Redacted
	}
	return spec
}
