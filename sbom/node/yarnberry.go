package node

import (
	"cmp"
	"errors"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"deps.dev/util/semver"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// maxBerry is the newest version of the metadata that is known: yarn 2 began with
// 4, and 4.18 writes 10.
const maxBerry = 10

func (l *yarnLock) readMetadata(n *yarnNode) bool {
	for i := range n.children {
		c := &n.children[i]
		if c.name() != "version" {
			continue
		}
		v, err := strconv.Atoi(l.text(c))
		switch {
		case err != nil || v < 1:
			l.broken(syntaxAt(c.off(), "the version of __metadata must be a number"))
			return false
		case v > maxBerry:
			l.cut = true
			l.problem(sbom.Unsupported, c.off(), "update countermark", "yarn lockfiles of metadata version %d are not read by this version (up to %d are)", v, maxBerry)
			return false
		}
		return true
	}
	l.broken(syntaxAt(n.off(), "__metadata has no version"))
	return false
}

// readBerry reads an entry of yarn 2 and newer.
func (l *yarnLock) readBerry(n *yarnNode) (yarnEntry, bool) {
	e := yarnEntry{keys: n.keys, off: n.off()}
	optional := map[string]bool{}
	linkType := false
	for i := range n.children {
		c := &n.children[i]
		switch c.name() {
		case "version":
			e.version = l.version(c)
		case "resolution":
			e.resolution = l.text(c)
		case "dependencies":
			e.deps = append(e.deps, l.readRequests(c, prodEdge)...)
		case "optionalDependencies":
			e.deps = append(e.deps, l.readRequests(c, optionalEdge)...)
		case "dependenciesMeta":
			l.names(c, func(d *yarnNode) {
				l.names(d, func(meta *yarnNode) {
					optional[d.name()] = optional[d.name()] || meta.name() == "optional" && l.text(meta) == "true"
				})
			})
		case "checksum":
			if text := l.text(c); isChecksum(text) {
				e.properties = append(e.properties, sbom.Property{Name: PropertyYarnChecksum, Value: text})
			} else {
				l.invalid(c.off(), hintYarn, "the checksum of %s is no digest in hex", quote(n.name()))
			}
		case "conditions":
			e.properties = append(e.properties, sbom.Property{Name: PropertyYarnConditions, Value: redact(l.text(c))})
		case "linkType":
			text := l.text(c)
			linkType = text == "hard" || text == "soft"
		case "bin":
			var names []string
			l.names(c, func(d *yarnNode) { names = append(names, d.name()) })
			e.bins = l.commands(&member{off: c.off()}, names)
		case "languageName", "peerDependencies", "peerDependenciesMeta": // peers are not resolved in a lockfile
		default:
			l.judgeKey(c.name(), c.off(), graphKeys)
			l.warn(c.off(), "", "%s is nothing that yarn writes", quote(c.name()))
		}
	}
	for i, d := range e.deps {
		if optional[d.name] {
			e.deps[i].kind = optionalEdge
		}
	}
	switch {
	case e.resolution == "":
		l.invalid(e.off, hintYarn, "%s has no resolution", quote(n.name()))
		return e, false
	case !linkType:
		l.invalid(e.off, hintYarn, "%s has no linkType, without which yarn does not read it", quote(n.name()))
	case e.version == "":
		l.invalid(e.off, hintYarn, "%s has no version", quote(n.name()))
	}
	if !l.berrySource(&e) {
		return e, false
	}
	for _, k := range e.keys {
		if key, _ := splitRequest(k.text); key != e.name && validName(key) && !slices.Contains(e.aliases, key) {
			e.aliases = append(e.aliases, key)
		}
	}
	return e, true
}

// berryGit is the fragment of a git remote that names the commit.
var berryGit = lazyregexp.New(`(?:^|&)commit[=:]([0-9a-f]{7,64})(?:&|$)`)

// berrySource reads the locator of an entry.
func (l *yarnLock) berrySource(e *yarnEntry) bool {
	name, reference := splitRequest(e.resolution)
	if !l.named(name, reference) {
		l.invalid(e.off, hintYarn, "the resolution %s names no package", quote(e.resolution))
		return false
	}
	e.name = name
	return l.locate(e, reference, 0)
}

func (l *yarnLock) locate(e *yarnEntry, reference string, depth int) bool {
	plain, params, _ := strings.Cut(reference, "::")
	scheme := schemeOf(plain)
	rest := plain[len(scheme):]
	body, fragment, _ := strings.Cut(plain, "#")
	base := workspacePath(yarnParam(params, "locator"))
	switch {
	case scheme == "workspace:":
		dir := path.Clean(rest)
		if dir == "." {
			dir = ""
		}
		if why := badKey(dir); why != "" || dir != "" && strings.HasPrefix(dir, "..") {
			l.invalid(e.off, hintYarn, "the folder of the workspace member %s is no folder below the project", quote(e.name))
			return false
		}
		e.source, e.dir = sbom.FromProject, dir
	case scheme == "npm:":
		e.source, e.resolved = sbom.FromRegistry, yarnParam(params, "__archiveUrl")
		if v := plainVersion(rest); v == "" || depth == 0 && e.version != "" && v != e.version {
			l.invalid(e.off, hintYarn, "the resolution of %s has another version than its entry", quote(e.name))
		}
	case scheme == "patch:":
		return l.locatePatch(e, rest, base, depth)
	case scheme == "link:", scheme == "portal:":
		e.source, e.dir = sbom.FromLink, linkedPath(path.Join(base, rest))
		if path.IsAbs(rest) {
			e.dir = ""
		}
	case scheme == "file:", scheme == "exec:":
		e.source = sbom.FromFile
		if dir := strings.TrimPrefix(body, scheme); scheme == "file:" && !path.IsAbs(dir) && !isArchive(body) {
			e.dir = linkedPath(path.Join(base, dir))
		}
	case berryGit.MatchString(fragment):
		e.source = sbom.FromGit
		e.resolved = body + "#" + berryGit.FindStringSubmatch(fragment)[1]
		if s := schemeOf(body); s == "http:" || s == "https:" {
			e.resolved = "git+" + e.resolved
		}
	case scheme == "http:", scheme == "https:":
		e.source, e.resolved = sbom.FromTarball, plain
	default:
		l.problem(sbom.Unsupported, e.off, "check whether a newer version of countermark reads it",
			"%s is resolved by %s, which is not read by this version", quote(e.name), quote(cmp.Or(scheme, "no protocol")))
		return false
	}
	return true
}

// maxPatched bounds how often a package is patched.
const maxPatched = 5

// locatePatch reads source#patch&patch of a patched package.
func (l *yarnLock) locatePatch(e *yarnEntry, rest, base string, depth int) bool {
	source, files, ok := strings.Cut(rest, "#")
	source, err := url.PathUnescape(source)
	name, reference := splitRequest(source)
	if err != nil || !ok || !validName(name) || depth == maxPatched {
		l.invalid(e.off, hintYarn, "the patch of %s cannot be understood", quote(e.name))
		return false
	}
	if schemeOf(reference) == "" {
		reference = "npm:" + reference
	}
	// The entry of what is patched has that very locator.
	e.name = name
	if depth == 0 {
		e.base = yarnWant{spec: name + "@" + reference}
	}
	for file := range strings.SplitSeq(files, "&") {
		file = file[strings.LastIndexByte(file, '!')+1:]
		builtin := strings.Contains(file, "builtin<")
		file = strings.TrimPrefix(file, "~")
		switch {
		case builtin:
		case strings.HasPrefix(file, "/") && strings.Contains(files, "~/"):
			file = strings.TrimPrefix(file, "/") // below the project
		case path.IsAbs(file):
			file = path.Base(file) // a folder of that machine is nobody's business
		default:
			file = path.Join(base, file)
		}
		e.patches = append(e.patches, redact(file))
	}
	return l.locate(e, reference, depth+1)
}

// yarnParam returns a parameter of a locator, decoded.
func yarnParam(params, name string) string {
	for param := range strings.SplitSeq(params, "&") {
		if value, ok := strings.CutPrefix(param, name+"="); ok {
			if text, err := url.PathUnescape(value); err == nil {
				return text
			}
			return value
		}
	}
	return ""
}

// workspacePath returns the folder of a locator that is a workspace member's.
func workspacePath(locator string) string {
	_, reference := splitRequest(locator)
	dir, ok := strings.CutPrefix(reference, "workspace:")
	if !ok || path.Clean(dir) == "." {
		return ""
	}
	return path.Clean(dir)
}

// linkedPath is the folder that a link leads to, relative to the project; "" where
// it is a folder of that machine.
func linkedPath(p string) string {
	if p == "" || path.IsAbs(p) || strings.ContainsAny(p, `\:`) {
		return ""
	}
	return path.Clean(p)
}

// berrySpecs are the ways in which lockfiles of different yarns write the same
// range.
func berrySpecs(spec string) []string {
	spec = strings.TrimSpace(spec) // a package may have a blank behind a range
	if rest, ok := strings.CutPrefix(spec, "npm:"); ok {
		return []string{spec, rest}
	}
	if schemeOf(spec) == "" && !strings.Contains(spec, "/") {
		return []string{"npm:" + spec, spec}
	}
	return []string{spec}
}

// builtinRequest returns the request that yarn replaces by a patch of its own,
// such as that of fsevents.
func builtinRequest(w yarnWant) (yarnWant, bool) {
	rest, ok := strings.CutPrefix(w.spec, "patch:")
	source, files, _ := strings.Cut(rest, "#")
	if !ok || !strings.Contains(files, "builtin<compat/") {
		return yarnWant{}, false
	}
	source, err := url.PathUnescape(source)
	if err != nil {
		return yarnWant{}, false
	}
	name, spec := splitRequest(source)
	return yarnWant{name: name, spec: berrySpecs(spec)[0]}, name == w.name
}

// findBerry follows a request: the project's resolutions and catalogs first, then
// the keys.
func (l *yarnLock) findBerry(e *yarnEntry, d dependency) int {
	spec := l.rules.catalog(d)
	locator := e.resolution
	for _, o := range l.rules.overrides {
		if o.concerns(e, d.name, spec) {
			spec, locator = o.to, l.rules.top
			break
		}
	}
	return l.find(d.name, spec, locator)
}

// readBerryFolders takes from the package.json files what the lockfile does not
// say: versions, which dependencies are for development, and the resolutions.
func (p *projects) readBerryFolders(at *folder) {
	l := at.yarn
	root := none
	locators := map[string]int{}
	for i := range l.entries {
		e := &l.entries[i]
		locators[e.resolution] = i
		p.readLocal(at, e)
		if e.source != sbom.FromProject {
			continue
		}
		if e.dir == "" {
			root = i
			l.rules.top = e.resolution
		}
		p.cover(at, e.dir)
		l.compareBerry(e, p.folderManifest(at, e.dir))
	}
	for i := range l.entries {
		e := &l.entries[i]
		if to, ok := locators[e.base.spec]; ok && e.base.spec != "" {
			e.base.name = e.name
			l.index[e.base] = to
		}
	}
	if root == none {
		l.rootless = true
		if !l.cut {
			l.invalid(none, hintYarn, "there is no entry of the project itself, so nobody knows which packages it asks for")
		}
	}
	if at.manifest != nil {
		l.rules.overrides = at.manifest.resolutions()
	} else if root != none {
		l.warn(none, "check the folder together with its package.json", "there is no package.json, so nobody knows what is for development only, and which resolutions there are")
	}
	l.readRules()
}

// compareBerry holds a package.json against what the lockfile says of the folder.
func (l *yarnLock) compareBerry(e *yarnEntry, m *manifest) {
	e.own = m
	if m == nil || l.cut || m.doc.err != nil {
		return
	}
	locked := map[string]int{}
	for i, d := range e.deps {
		locked[d.name] = i
	}
	for _, d := range m.ownRequests() {
		i, ok := locked[d.name]
		delete(locked, d.name)
		if !ok || berrySpecs(e.deps[i].spec)[0] != berrySpecs(d.spec)[0] {
			m.invalid(d.off, hintYarn, "%s does not fit %s, so `yarn install --immutable` would refuse to install", quote(d.name), quote(l.file.Path))
			continue
		}
		if d.kind != prodEdge && e.deps[i].kind == prodEdge {
			e.deps[i].kind = d.kind
		}
	}
	for _, d := range e.deps {
		if _, left := locked[d.name]; left {
			l.warn(d.off, hintYarn, "%s is no longer in package.json of %s", quote(d.name), e.label())
		}
	}
}

// readLocal looks at the folder that a package comes from, where it does. Of one that
// is copied, the lockfile says what it depends on.
func (p *projects) readLocal(at *folder, e *yarnEntry) {
	switch e.source {
	case sbom.FromLink:
		p.readLinked(at, e)
	case sbom.FromFile:
		p.cover(at, e.dir)
	default:
	}
}

// readLinked reads the folder that a link or a portal leads to. Of a link, yarn
// does not install what that folder asks for.
func (p *projects) readLinked(at *folder, e *yarnEntry) {
	if e.dir == "" {
		return
	}
	l := at.yarn
	dir := path.Join(at.dir, e.dir)
	if own := p.folders[dir]; own != nil && (own.yarn != nil || own.lockfile != nil || own.foreign) {
		return // a project of its own
	}
	e.own = p.folderManifest(at, e.dir)
	p.cover(at, e.dir)
	isPortal := strings.Contains(e.resolution, "@portal:")
	if e.own != nil && len(e.own.ownRequests()) > 0 && !isPortal {
		l.problem(sbom.Unsupported, max(e.off, 0), "make the folder a workspace member, or check it with a lockfile of its own",
			"%s is linked, and yarn does not lock what it depends on", quote(e.name))
	}
}

// cover notes that this lockfile says what a folder installs.
func (p *projects) cover(at *folder, dir string) {
	if at.yarn.file.FS != nil && dir != "" {
		p.yarns[path.Join(at.dir, dir)] = at.yarn
	}
}

// yarnRules are what steers yarn beside the lockfile: "resolutions" of the
// project's package.json, and of .yarnrc.yml the catalogs and packageExtensions.
type yarnRules struct {
	top        string // locator of the project
	overrides  []yarnOverride
	catalogs   map[string]map[string]string // "" is the unnamed one
	extensions map[string][]yarnExtension
}

// yarnOverride is one entry of "resolutions" (yarn's documentation, "manifest").
type yarnOverride struct {
	from, fromReference string // who asks; "" for everybody
	name, spec          string // what is asked for; a spec of "" is any
	to                  string
}

type yarnExtension struct {
	in   string // range of versions
	deps []dependency
}

var yarnResolution = lazyregexp.New(`^(?:((?:@[^/@]+/)?[^/@]+)(?:@([^/]+))?/)?((?:@[^/@]+/)?[^/@]+)(?:@([^/]+))?$`)

// resolutions reads "resolutions" of the project. Of yarn 1's globs only the last
// name matters, since its lockfile already has them applied.
func (m *manifest) resolutions() []yarnOverride {
	group := m.member(&m.doc.root, "resolutions", objectKind)
	if group == nil {
		return nil
	}
	var out []yarnOverride
	for i := range group.value.members {
		r := &group.value.members[i]
		if r.value.kind != stringKind {
			m.invalid(r.off, "correct \"resolutions\"", "the resolution %s must be a string, not %s", quote(r.name), r.value.kind)
			continue
		}
		key := r.name
		if at := strings.LastIndex(key, "*/"); at >= 0 {
			key = key[at+len("*/"):]
		}
		if parts := yarnResolution.FindStringSubmatch(key); parts != nil {
			out = append(out, yarnOverride{parts[1], parts[2], parts[3], parts[4], r.value.text})
		} else if folder := folderName(key); validName(folder) { // a/b/c of yarn 1
			out = append(out, yarnOverride{name: folder, to: r.value.text})
		} else {
			m.invalid(r.off, "correct \"resolutions\"", "%s names no package", quote(r.name))
		}
	}
	return out
}

func (o *yarnOverride) concerns(e *yarnEntry, name, spec string) bool {
	if o.from != "" {
		asker, reference := splitRequest(e.resolution)
		if o.from != asker || o.fromReference != "" && berrySpecs(o.fromReference)[0] != reference {
			return false
		}
	}
	return o.name == name && (o.spec == "" || berrySpecs(o.spec)[0] == berrySpecs(spec)[0])
}

// readRules reads what of .yarnrc.yml changes what is resolved. Nothing else of
// it is looked at: tokens may stand there.
func (l *yarnLock) readRules() {
	const name = ".yarnrc.yml"
	data, err := l.file.Sibling(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.warn(none, "", "the %s beside it cannot be read, so its catalogs and packageExtensions are unknown", name)
		}
		return
	}
	nodes, bad := parseBerry(data, newLines(data), true)
	if bad != nil {
		l.warn(none, "", "the %s beside it cannot be read in full, so its catalogs and packageExtensions may be unknown", name)
	}
	l.rules.catalogs = map[string]map[string]string{}
	l.rules.extensions = map[string][]yarnExtension{}
	for i := range nodes {
		n := &nodes[i]
		switch n.name() {
		case "catalog":
			l.rules.catalogs[""] = yarnTexts(n)
		case "catalogs":
			for j := range n.children {
				l.rules.catalogs[n.children[j].name()] = yarnTexts(&n.children[j])
			}
		case "packageExtensions":
			for j := range n.children {
				l.rules.readExtension(&n.children[j])
			}
		}
	}
}

func yarnTexts(n *yarnNode) map[string]string {
	out := map[string]string{}
	for i := range n.children {
		out[n.children[i].name()] = n.children[i].value
	}
	return out
}

func (r *yarnRules) readExtension(n *yarnNode) {
	name, in := splitRequest(n.name())
	x := yarnExtension{in: in}
	for i := range n.children {
		if n.children[i].name() != "dependencies" {
			continue
		}
		for j := range n.children[i].children {
			d := &n.children[i].children[j]
			x.deps = append(x.deps, dependency{name: d.name(), spec: d.value, off: none})
		}
	}
	r.extensions[name] = append(r.extensions[name], x)
}

// extend returns what a package asks for together with what packageExtensions add.
func (r *yarnRules) extend(e *yarnEntry) []dependency {
	deps := e.deps
	if e.source == sbom.FromProject {
		return deps
	}
	for _, x := range r.extensions[e.name] {
		c, err := semver.NPM.ParseConstraint(x.in)
		if err != nil || !c.Match(e.version) {
			continue
		}
		for _, d := range x.deps {
			if !slices.ContainsFunc(deps, func(have dependency) bool { return have.name == d.name }) {
				d.off = e.off
				deps = append(slices.Clip(deps), d)
			}
		}
	}
	return deps
}

// catalog returns the range that a catalog has for a dependency.
func (r *yarnRules) catalog(d dependency) string {
	name, ok := strings.CutPrefix(d.spec, "catalog:")
	if !ok {
		return d.spec
	}
	if spec, ok := r.catalogs[name][d.name]; ok {
		return spec
	}
	return d.spec
}
