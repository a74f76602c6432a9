package node

import (
	"fmt"
	"slices"
	"strings"

	"countermark/sbom"
)

// The fields of package.json that name the package manager of a project (Node.js's
// documentation, "Corepack"; npm's, "package.json", devEngines).
const (
	fieldCorepack = "packageManager"
	fieldEngines  = "devEngines"
)

// manager is a package manager whose lockfiles are read.
type manager struct {
	name string // in the fields
	// refuses is the field by which it does not install where that names another
	// one, so that its lockfile is not in force there: pnpm and yarn 1 read the one,
	// npm the other, newer yarns and Bun none.
	refuses string
	files   []*sbom.File
}

// managers are those whose lockfiles lie in the folder.
func (at *folder) managers() (out []manager) {
	yarn := fieldCorepack
	if at.yarnFile != nil {
		if _, berry := yarnForm(at.yarnFile.Data); berry {
			yarn = ""
		}
	}
	for _, m := range []manager{
		{"npm", fieldEngines, present(at.lock, at.shrink)},
		{"pnpm", fieldCorepack, at.otherFiles},
		{"yarn", yarn, present(at.yarnFile)},
		{"bun", "", present(at.bunFile)},
	} {
		if len(m.files) > 0 {
			out = append(out, m)
		}
	}
	return out
}

func (at *folder) drop(m manager) {
	switch m.name {
	case "npm":
		at.lock, at.shrink = nil, nil
	case "pnpm":
		at.otherFiles = nil
	case "yarn":
		at.yarnFile = nil
	}
}

func present(files ...*sbom.File) (out []*sbom.File) {
	for _, f := range files {
		if f != nil {
			out = append(out, f)
		}
	}
	return out
}

// obey leaves out the lockfiles of package managers that would refuse to install,
// where several lie in one folder and package.json says which package manager it is
// for. Which of the others counts depends on who installs, and is told as a problem.
func (at *folder) obey() {
	if at.manifest == nil {
		return
	}
	all := at.managers()
	named := at.manifest.packageManager()
	for _, m := range all {
		name := named[m.refuses]
		other := slices.ContainsFunc(all, func(o manager) bool { return o.name == name })
		if name == m.name || !other {
			continue
		}
		for _, f := range m.files {
			f.Problem(sbom.Problem{
				Code: sbom.Warning, Hint: "delete it",
				Message: fmt.Sprintf("%s does not install by this file, since %s in package.json names %s, whose lockfile lies beside it", m.name, m.refuses, name),
			})
		}
		at.drop(m)
	}
}

// packageManager is the package manager that a package.json is for, by the field
// that says so.
func (m *manifest) packageManager() map[string]string {
	out := map[string]string{}
	if pm := m.doc.root.get(fieldCorepack); pm != nil && pm.value.kind == stringKind {
		out[fieldCorepack], _, _ = strings.Cut(pm.value.text, "@")
	}
	engines := m.doc.root.get(fieldEngines)
	if engines == nil {
		return out
	}
	pm := engines.value.get("packageManager")
	if pm == nil || pm.value.kind != objectKind {
		return out
	}
	if onFail := pm.value.get("onFail"); onFail != nil && onFail.value.text != "error" {
		return out // npm warns, or does nothing
	}
	if name := pm.value.get("name"); name != nil && name.value.kind == stringKind {
		out[fieldEngines] = name.value.text
	}
	return out
}
