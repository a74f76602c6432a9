package node

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// The kinds of files that are read.
const (
	PackageLock = "package-lock.json"
	Shrinkwrap  = "npm-shrinkwrap.json"
	Manifest    = "package.json"
	PNPMLock    = "pnpm-lock.yaml"
	BunLock     = "bun.lock"
)

// unread are the lockfiles that are recognised, with the program that wrote
// them, but not read by this version: what they pin is unknown.
var unread = map[string]string{
	"bun.lockb": "Bun",
	"deno.lock": "Deno",
}

// hintUnread is what to do about one of these; where nothing is said of it, to let
// npm write a lockfile.
var hintUnread = map[string]string{
	"bun.lockb": "convert it by `bun install --save-text-lockfile --frozen-lockfile --lockfile-only`, or check a package-lock.json instead (`npm install --package-lock-only` writes one)",
}

var kinds = append([]string{PackageLock, Shrinkwrap, Manifest, PNPMLock, YarnLock, BunLock}, slices.Sorted(maps.Keys(unread))...)

// Property names of this reader. The path is that of the official CycloneDX
// property taxonomy for npm.
const (
	PropertyPath          = "cdx:npm:package:path"
	PropertyAlias         = "countermark:npm:alias"          // the name by which the project calls the package
	PropertyRequest       = "countermark:npm:request"        // what a package.json without a lockfile asks for, redacted
	PropertyDeprecated    = "countermark:npm:deprecated"     // why the publisher advises against the version, redacted
	PropertyInstallScript = "countermark:npm:install-script" // "true" where installing runs a script of the package
	PropertyBin           = "countermark:npm:bin"            // a command that the project itself provides, redacted
)

// Reader reads Node projects. The zero value is ready.
//
// The project at the top of what is scanned becomes the root; one in a folder
// below becomes an application that the root depends on, unless another
// project's lockfile covers it as a workspace member. A package.json that asks for
// something, and that no lockfile covers, is a problem; one that asks for nothing
// installs nothing, and is read in full.
type Reader struct {
	// Installed reads what is installed, and what lockfiles say beside it only
	// to compare and to complete it.
	Installed bool
}

var _ sbom.FolderReader = Reader{}

// Recognize implements [sbom.Reader]. The case of letters is no difference, since
// it is none to the file systems of macOS and Windows.
func (r Reader) Recognize(name string) string {
	base := path.Base(name)
	if r.Installed && slices.Contains(pnpFiles, base) {
		return base
	}
	for _, kind := range kinds {
		if strings.EqualFold(base, kind) {
			return kind
		}
	}
	return ""
}

// RecognizeFolder implements [sbom.FolderReader].
func (r Reader) RecognizeFolder(name string) string {
	if r.Installed && path.Base(name) == NodeModules && !strings.Contains("/"+name, "/.yarn/unplugged/") {
		return NodeModules
	}
	return ""
}

var sniffPNPM = lazyregexp.New(`(?m)^lockfileVersion: *['"]?[0-9]`)

// Sniff recognises the lockfiles of npm, pnpm, yarn and Bun under any name.
func (Reader) Sniff(data []byte) string {
	if sniffPNPM.Match(data[:min(len(data), 4096)]) {
		return PNPMLock
	}
	if classic, berry := yarnForm(data); classic != "" || berry {
		return YarnLock
	}
	root := &parseJSONC(data).root
	switch {
	case root.get("lockfileVersion") == nil:
		return ""
	case root.get("workspaces") != nil:
		return BunLock
	case root.get("packages") != nil || root.get("requires") != nil && root.get("dependencies") != nil:
		return PackageLock
	}
	return ""
}

// Read implements [sbom.Reader].
func (r Reader) Read(ctx context.Context, files []*sbom.File, b *sbom.Builder) error {
	p := &projects{b: b, folders: map[string]*folder{}, members: map[string]covered{}, purls: map[string]string{}, yarns: map[string]*yarnLock{}}
	if r.Installed {
		p.b, p.installed = sbom.NewBuilder(), true
	}
	for _, f := range files {
		p.sort(f)
	}
	dirs := slices.Sorted(maps.Keys(p.folders))
	for _, dir := range dirs { // a folder comes before those inside of it
		if err := ctx.Err(); err != nil {
			return err
		}
		p.load(p.folders[dir])
	}
	for _, dir := range dirs {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.add(p.folders[dir])
	}
	for _, dir := range dirs {
		if at := p.folders[dir]; at.lockfile != nil {
			at.lockfile.judgeAsked(at.manifest)
		}
	}
	if r.Installed {
		return p.addInstalled(ctx, b)
	}
	return nil
}
