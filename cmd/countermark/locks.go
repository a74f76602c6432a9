package main

import (
	"context"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"countermark/sbom"
	"countermark/sbom/mcp/lock"
)

// readLocked reads what is below the paths, and the locks beside it.
func (p *program) readLocked(ctx context.Context, r reading) (*project, error) {
	locks := &lock.Reader{}
	var named []string
	r.besides = func(trees []sbom.Tree) []sbom.Tree {
		more, some := lockTrees(trees)
		named = some
		return more
	}
	r.options.Readers = slices.Insert(r.options.Readers, 0, sbom.Reader(locks))
	pr, err := p.read(ctx, r)
	if err != nil {
		return nil, err
	}
	pr.locks, pr.named = locks.Locks, named
	for i, name := range pr.paths {
		if filepath.Base(name) == lock.FileName {
			pr.found[i] = false // a lock alone configures nothing
		}
	}
	return pr, nil
}

// lockTrees are the locks beside files that are named one by one, where nothing
// else is looked for. some are those, by path, beside a file that the user named.
func lockTrees(trees []sbom.Tree) (more []sbom.Tree, some []string) {
	for _, t := range trees {
		files := t.Files
		if t.File != "" {
			files = []string{t.File}
		}
		var names []string
		for _, file := range files {
			name := path.Join(path.Dir(file), lock.FileName)
			if _, err := fs.Lstat(t.FS, name); err != nil || slices.Contains(names, name) || name == file {
				continue
			}
			names = append(names, name)
			if t.File != "" {
				some = append(some, t.Prefix+name)
			}
		}
		if t.File != "" {
			names = append(names, vendoredLocks(t)...)
		}
		if len(names) > 0 {
			more = append(more, sbom.Tree{FS: t.FS, Prefix: t.Prefix, Dir: t.Dir, Files: names})
		}
	}
	return more, some
}

// maxVendored bounds the vendored packages that are read beside a named file.
const maxVendored = 2_000

// vendoredLocks are the lockfiles of vendored packages beside a file that the user
// named: without them nobody knows what node starts.
func vendoredLocks(t sbom.Tree) []string {
	root := path.Join(path.Dir(t.File), lock.VendorRoot)
	entries, err := fs.ReadDir(t.FS, root)
	if err != nil {
		return nil // nothing is vendored there
	}
	var out []string
	for _, e := range entries[:min(len(entries), maxVendored)] {
		name := path.Join(root, e.Name(), "package-lock.json")
		if info, err := fs.Lstat(t.FS, name); err == nil && info.Mode().IsRegular() {
			out = append(out, name)
		}
	}
	return out
}
