// Recheck compares the npm entries of the catalogue with the registry, for
// maintainers:
//
//	go build -o countermark ./cmd/countermark
//	go run ./policy/catalog/recheck ./countermark [NAME…]
//
// For each package (or each that is named) it asks npm which repository the
// metadata of the latest version names, and, where that version is attested, lets
// the given countermark verify it against the catalogue, ids and workflow
// included. It prints each difference and what could not be asked, and exits 1
// where there is one. It asks one package after the other, some hundreds in all.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"countermark/policy/catalog"
	"countermark/provenance"
	"countermark/sbom"
)

func main() {
	if err := run(context.Background(), os.Stdout, os.Args[1:]); err != nil { //nolint:forbidigo // a command of its own
		fmt.Fprintln(os.Stderr, err) //nolint:forbidigo // a command of its own
		os.Exit(1)                   //nolint:forbidigo // a command of its own
	}
}

// run prints each difference, and returns an error where there is one.
func run(ctx context.Context, w io.Writer, args []string) error {
	if len(args) == 0 {
		return errors.New("usage: recheck COUNTERMARK [NAME…]")
	}
	known, err := catalog.Embedded()
	if err != nil {
		return err
	}
	asked, differ := 0, 0
	for _, e := range slices.Concat(slices.Collect(known.All()), slices.Collect(known.Packages())) {
		named := len(args) == 1 || slices.Contains(args[1:], e.Package)
		if e.Ecosystem != sbom.NPM || !e.Published() || !named {
			continue
		}
		asked++
		if err := recheck(ctx, args[0], e); err != nil {
			differ++
			if _, err := fmt.Fprintf(w, "%s: %v\n", e.Package, err); err != nil {
				return err
			}
		}
	}
	if differ > 0 || asked == 0 {
		return fmt.Errorf("%d packages asked, %d differ", asked, differ)
	}
	_, err = fmt.Fprintf(w, "%d packages asked, none differs\n", asked)
	return err
}

// latest is what npm says of a package's latest version.
type latest struct {
	Version      string          `json:"version"`
	Repository   any             `json:"repository"`
	Attestations json.RawMessage `json:"dist.attestations"`
}

func recheck(ctx context.Context, countermark string, e catalog.Entry) error {
	out, err := exec.CommandContext(ctx, "npm", "view", e.Package+"@latest", "name", "version", "repository", "dist.attestations", "--json").Output() //nolint:gosec // a name of the catalogue
	if err != nil {
		return fmt.Errorf("npm cannot show it: %w", err)
	}
	var l latest
	if err := json.Unmarshal(out, &l); err != nil {
		return fmt.Errorf("npm's answer: %w", err)
	}
	have, err := provenance.ParseRepository(address(l.Repository))
	if err != nil {
		return fmt.Errorf("%s names the repository %q, the catalogue %s", l.Version, l.Repository, e.Repository)
	}
	if !strings.EqualFold(have.String(), e.Repository) {
		return fmt.Errorf("%s names the repository %s, the catalogue %s", l.Version, have, e.Repository)
	}
	if len(l.Attestations) == 0 {
		return nil
	}
	verify := exec.CommandContext(ctx, countermark, "verify", "npm:"+e.Package+"@"+l.Version) //nolint:gosec // the maintainer names it
	if out, err := verify.CombinedOutput(); err != nil {
		return fmt.Errorf("%s is not verified: %s", l.Version, out)
	}
	return nil
}

// address returns the URL of a manifest's repository: an object, a URL, or GitHub's
// owner/name (as package.json allows).
func address(repository any) string {
	if object, ok := repository.(map[string]any); ok {
		repository = object["url"]
	}
	text, _ := repository.(string)
	if strings.Count(text, "/") == 1 && !strings.Contains(text, ":") {
		return "https://github.com/" + text
	}
	return text
}
