package lock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
	"countermark/sbom/mcp"
)

// VendorRoot is the folder of a project that holds vendored servers, each in a
// folder of its own with a package.json and a package-lock.json.
const VendorRoot = ".mcp"

// Vendor is a package that a project keeps for a server: `npm ci` installs it below
// Folder, and node starts it from there.
type Vendor struct {
	Folder  string // in the inventory: web/.mcp/github
	Before  string // what stands before the folder in the configuration
	Package string
	Version string
	// Bin returns the file in the package that a program of it is, the one that npx
	// would choose for ""; or why there is none that node can start.
	Bin func(name string) (file, why string)
}

// file is what node runs: the path that the configuration names.
func (v *Vendor) file(bin string) (file, why string) {
	if file, why = v.Bin(bin); why != "" {
		return "", why
	}
	within := v.Folder[strings.LastIndex("/"+v.Folder, "/"+VendorRoot+"/"):]
	return v.Before + path.Join(within, "node_modules", v.Package, file), ""
}

// maxFolderName is how long the name of a folder for a server may be, in bytes.
const maxFolderName = 48

var (
	notInFolder = lazyregexp.New(`[^a-z0-9._-]+`)
	folderName  = lazyregexp.New(`^[a-z0-9]([a-z0-9._-]*[a-z0-9_-])?$`)
	// reserved are names that Windows keeps for devices, whatever follows a dot, and
	// those that no scan enters.
	reserved = lazyregexp.New(`^((con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?|node_modules)$`)
)

// FolderNames are the names that the folder of a server may have, the nicest first:
// the server's own where it is one that every system takes for the same folder, and
// one with a digest of the server behind it. configuration is its path in the
// project.
func FolderNames(configuration, server string) []string {
	sum := sha256.Sum256([]byte(configuration + "#" + server))
	base := strings.Trim(notInFolder.ReplaceAllString(strings.ToLower(server), "-"), ".-_")
	if sbom.LooksSecret(server) || base == "" {
		base = "server"
	}
	if reserved.MatchString(base) {
		base = "server-" + base
	}
	base = strings.TrimRight(base[:min(len(base), maxFolderName)], ".-_")
	sure := base + "-" + hex.EncodeToString(sum[:4])
	if base != server || !folderName.MatchString(base) {
		return []string{sure}
	}
	return []string{base, sure}
}

// inVendored finds the folder of a vendored package in what node is told to run.
var inVendored = lazyregexp.New(`(?:^|/)(\.mcp/[a-z0-9][a-z0-9._-]*)/node_modules/`)

// lockName is the lockfile of a vendored package.
const lockName = "package-lock.json"

// vendored are what the lockfiles of vendored packages hold, by their paths.
type vendored map[string][]*sbom.Component

func vendoredIn(inv *sbom.Inventory) vendored {
	out := vendored{}
	for _, c := range inv.Components {
		if c.Ecosystem != sbom.NPM || c.Version == "" || c.Source == sbom.FromProject {
			continue
		}
		for _, at := range c.Occurrences {
			dir, base := path.Split(at.Path)
			within := path.Dir(path.Dir(at.Path))
			if base == lockName && dir != "" && path.Base(within) == VendorRoot && !slices.Contains(out[at.Path], c) {
				out[at.Path] = append(out[at.Path], c)
			}
		}
	}
	return out
}

// know adds what the lockfile of a vendored package says of a launch. file is the
// configuration: paths in it count from its folder or one above.
func (v vendored) know(file string, l sbom.Launch, out *Known) {
	m := inVendored.FindStringSubmatch(strings.ReplaceAll(l.Spec, `\`, "/"))
	if m == nil || l.Pin != sbom.PinLockfile || l.Launcher != "node" {
		return
	}
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		list := v[path.Join(dir, m[1], lockName)]
		if slices.ContainsFunc(list, func(c *sbom.Component) bool { return c.Ref == l.Ref }) {
			out.Vendored, out.Closure = m[1], closureOf(list, l.Ref)
			out.Integrity = "" // the lockfile's counts, which npm installs by, also where it has none
			return
		}
		if dir == "." || dir == "/" {
			return
		}
	}
}

// closureOf is everything that a lockfile installs beside one component.
func closureOf(list []*sbom.Component, root string) *Closure {
	c := &Closure{Packages: map[string]string{}}
	for _, p := range list {
		if p.Ref == root {
			continue
		}
		// Two copies of a version with other digests are two components.
		key, digest := p.Name+"@"+p.Version, Integrity(p.Hashes)
		both := slices.Compact(slices.Sorted(slices.Values(append(strings.Fields(c.Packages[key]), strings.Fields(digest)...))))
		c.Packages[key] = strings.Join(both, " ")
	}
	return c
}

// vendoring reads configurations as if the folders of vendored packages were there.
type vendoring struct {
	mcp.Reader
	folders []*Vendor
}

// Read implements [sbom.Reader].
func (r vendoring) Read(ctx context.Context, files []*sbom.File, b *sbom.Builder) error {
	r.place(b)
	return r.Reader.Read(ctx, files, b)
}

func (r vendoring) place(b *sbom.Builder) {
	for _, v := range r.folders {
		id := b.Add(sbom.Component{
			Type: sbom.Library, Ecosystem: sbom.NPM, Name: v.Package, Version: v.Version, Source: sbom.FromRegistry,
			PURL: sbom.NPMPackageURL(v.Package, v.Version),
		}, sbom.Use{})
		b.Place(path.Join(v.Folder, "node_modules", v.Package), id)
	}
}

// asVendored reports whether a launch by node is what a vendored one was to become.
func (v *Vendor) asVendored(now sbom.Launch, file string) bool {
	return now.Kind == sbom.KindNPM && now.Pin == sbom.PinLockfile && now.Launcher == "node" &&
		now.Request == v.Version && now.Spec == file
}

// ProjectName is the name in the package.json of a folder.
func ProjectName(folder string) string { return "mcp-" + folder }
