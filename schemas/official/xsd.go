package official

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNoValidator means that this machine has no xmllint, so that nothing was said
// about a document.
var ErrNoValidator = errors.New("xmllint is not installed (Debian: libxml2-utils)")

// CycloneDXXML validates CycloneDX documents in XML with the official XML Schema of
// that version, "1.4" to "1.7", all in one run of xmllint, without a network: there
// is no validator in Go that we may use. dir is an empty folder for the files. The
// error is ErrNoValidator, or says for each invalid document what is wrong.
func CycloneDXXML(ctx context.Context, dir, version string, documents ...[]byte) error {
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		return ErrNoValidator
	}
	entries, err := files.ReadDir("cyclonedx")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".xsd") {
			continue
		}
		data, err := files.ReadFile("cyclonedx/" + e.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, e.Name()), data, 0o600); err != nil {
			return err
		}
	}
	args := []string{"--nonet", "--noout", "--schema", "bom-" + version + ".SNAPSHOT.xsd"}
	for i, document := range documents {
		name := fmt.Sprintf("document-%d.xml", i)
		if err := os.WriteFile(filepath.Join(dir, name), document, 0o600); err != nil {
			return err
		}
		args = append(args, name)
	}
	cmd := exec.CommandContext(ctx, lint, args...) //nolint:gosec // the arguments are our own file names
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w:\n%s", err, said.String())
	}
	return nil
}
