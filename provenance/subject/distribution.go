package subject

import (
	"io"
	"path/filepath"
	"strings"

	"countermark/provenance"
	"countermark/provenance/npm"
)

// Distribution reports whether a file is a wheel or source distribution of Python,
// whose name then says of which project. Both worlds pack some in gzipped tar
// files, and then open is asked what is in it: npm's hold a package.json.
func Distribution(name string, open func() (io.ReadCloser, error)) (project, version string, ok bool) {
	project, version, ok = provenance.SplitDistribution(filepath.Base(name))
	if !ok || strings.HasSuffix(name, ".whl") {
		return project, version, ok
	}
	if !strings.HasSuffix(name, ".tgz") && !strings.HasSuffix(name, ".tar.gz") {
		return project, version, true
	}
	f, err := open()
	if err != nil {
		return "", "", false
	}
	defer f.Close()
	_, err = npm.ReadTarball(f)
	return project, version, err != nil
}
