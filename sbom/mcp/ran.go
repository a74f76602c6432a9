package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
)

// What has run on a machine stands in two places: npx keeps every package that it
// ran, with a lockfile, and what was installed globally lies in one folder.

// The kinds of these inputs.
const (
	RanByNPX = "npx-cache"  // a lockfile of what npx ran
	Global   = "npm-global" // the package.json of a package that is installed globally
)

// npmCaches are where npm keeps its cache below a home.
var npmCaches = []string{".npm", "AppData/Local/npm-cache", "AppData/Roaming/npm-cache"}

// globalFolders are where npm and the managers of Node versions put global
// packages below a home.
var globalFolders = []string{
	".npm-global/lib/node_modules", ".npm-packages/lib/node_modules", ".local/lib/node_modules", "AppData/Roaming/npm/node_modules",
	".nvm/versions/node/*/lib/node_modules", ".local/share/fnm/node-versions/*/installation/lib/node_modules",
	".fnm/node-versions/*/installation/lib/node_modules", "Library/Application Support/fnm/node-versions/*/installation/lib/node_modules",
	".volta/tools/image/packages/*/lib/node_modules", ".local/share/mise/installs/node/*/lib/node_modules",
	".asdf/installs/nodejs/*/lib/node_modules", ".nodenv/versions/*/lib/node_modules", "n/lib/node_modules",
	".homebrew/lib/node_modules", "homebrew/lib/node_modules", ".linuxbrew/lib/node_modules", "AppData/Roaming/nvm/*/node_modules",
	"scoop/persist/nodejs/bin/node_modules",
}

// RanIn returns the lockfiles of what npx ran, and the package.json files of what
// is installed globally, below a user's home; sorted. What ~/.npmrc says of cache
// and prefix counts where it leads below the home. Links are not followed out of it.
func RanIn(home fs.FS) (npx, global, unsearched []string) {
	caches, folders := slices.Clone(npmCaches), slices.Clone(globalFolders)
	for key, value := range npmrc(home) {
		switch key {
		case "cache":
			caches = append(caches, value)
		case "prefix":
			folders = append(folders, path.Join(value, "lib/node_modules"), path.Join(value, "node_modules"))
		}
	}
	ran := search{fsys: home}
	for _, c := range caches {
		ran.find(path.Join(c, "_npx/*/package-lock.json"))
	}
	installed := search{fsys: home}
	for _, f := range folders {
		installed.find(path.Join(f, "*/package.json"))
		installed.find(path.Join(f, "@*/*/package.json"))
	}
	npx, unsearched = ran.sorted()
	global, more := installed.sorted()
	global = slices.DeleteFunc(global, func(name string) bool {
		// These come with Node itself.
		return slices.Contains([]string{"npm", "corepack"}, path.Base(path.Dir(name)))
	})
	return npx, global, append(unsearched, more...)
}

// CacheIn returns the lockfiles of what npx ran, in a cache of npm.
func CacheIn(cache fs.FS) (npx, unsearched []string) {
	s := search{fsys: cache}
	s.find("_npx/*/package-lock.json")
	return s.sorted()
}

// npmrc returns the settings of a user's .npmrc that are folders below the home.
func npmrc(home fs.FS) map[string]string {
	out := map[string]string{}
	info, err := fs.Stat(home, ".npmrc")
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxText {
		return out
	}
	data, err := fs.ReadFile(home, ".npmrc")
	if err != nil {
		return out
	}
	for line := range strings.Lines(string(data)) {
		key, value, ok := strings.Cut(line, "=")
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		below := homeVariable.FindString(slashed(value))
		if rest := strings.Trim(slashed(value)[len(below):], "/"); ok && below != "" && rest != "" && fs.ValidPath(rest) && !strings.ContainsAny(rest, "*?[") {
			out[strings.TrimSpace(key)] = rest
		}
	}
	return out
}

// Installed implements [sbom.Reader] for globally installed packages. They are
// judged like servers: somebody installed them to run them. Nothing records where
// their bytes came from, so the registry's package of that name and version is the
// one that is judged. The zero value is ready to use.
type Installed struct{}

var _ sbom.Chooser = Installed{}

// Recognize returns "": only the place makes a package a global one.
func (Installed) Recognize(string) string { return "" }

// Sniff returns "", as Recognize does.
func (Installed) Sniff([]byte) string { return "" }

// Knows reports whether the kind is that of the package.json of a global package.
func (Installed) Knows(kind string) bool { return kind == Global }

// Holds reports false, as Recognize does.
func (Installed) Holds(string, []byte) bool { return false }

// Read adds the packages to b.
func (Installed) Read(ctx context.Context, files []*sbom.File, b *sbom.Builder) error {
	r := run{builder: b, refs: map[string]bool{}}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.global(f)
	}
	return ctx.Err()
}

func (r *run) global(f *sbom.File) {
	var m struct{ Name, Version string }
	if len(f.Data) > maxManifest || json.Unmarshal(f.Data, &m) != nil || !npmName.MatchString(m.Name) || !npmExact.MatchString(m.Version) {
		f.Problem(sbom.Problem{Code: sbom.Invalid, Message: "it names no package with a version, so what is installed there is unknown", Hint: "install the package again, or remove it"})
		return
	}
	at := place{where: "package.json", line: 1, column: 1}
	s := npmRegistry(word{at: at}, m.Name+"@"+m.Version)
	if s.component == nil {
		f.Problem(sbom.Problem{Code: sbom.Invalid, Message: "it names no package that npm allows: " + s.reason, Hint: "remove the package"})
		return
	}
	s.launcher, s.launch.Pin = "npm install -g", sbom.PinInstalled
	file := r.builder.Add(sbom.Component{Ref: "script:" + f.Path, Type: sbom.FileType, Name: f.Path, Coverage: sbom.CompleteCoverage},
		sbom.Use{}, sbom.Occurrence{Path: f.Path})
	r.builder.Link(sbom.Root, file)
	r.place(file, fmt.Sprintf("script:%s#%s", f.Path, m.Name), &sbom.Server{
		File: f.Path, Name: m.Name, Script: true, Client: Global, Launcher: s.launcher, Kind: s.launch.Kind, Spec: s.launch.Spec, Pin: s.launch.Pin, Line: 1, Column: 1,
	}, []subject{s})
}

// maxManifest bounds the package.json of an installed package, in bytes.
const maxManifest = 4 << 20
