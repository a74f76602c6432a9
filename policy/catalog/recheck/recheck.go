package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"countermark/policy/catalog"
	"countermark/provenance"
	"countermark/provenance/npm"
	"countermark/sbom"
)

// maxManifest bounds the answer about one version, in bytes.
const maxManifest = 4 << 20

// outcome is what the comparison of one entry came to.
type outcome string

const (
	agrees    outcome = "agrees"
	differs   outcome = "differs"
	unasked   outcome = "not checked"
	elsewhere outcome = "not for npm" // no npm package
)

// answer is the outcome for one entry, and one sentence about it.
type answer struct {
	entry   catalog.Entry
	outcome outcome
	detail  string
}

// checker compares entries with a registry.
type checker struct {
	config       *npm.Config
	http         *http.Client
	attestations provenance.Source
	verifier     *provenance.Verifier

	refused atomic.Bool // the registry said that it is asked too often
}

// all compares the entries, so many at a time, and answers in their order.
func (c *checker) all(ctx context.Context, entries []catalog.Entry, jobs int) []answer {
	answers := make([]answer, len(entries))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range jobs {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(entries); i = int(next.Add(1)) - 1 {
				outcome, detail := c.check(ctx, entries[i])
				answers[i] = answer{entries[i], outcome, detail}
			}
		})
	}
	workers.Wait()
	return answers
}

// errTooMany is the registry's word that it is asked too often.
var errTooMany = errors.New("the registry says that it is asked too often")

// errNoPackage is the registry's word that it does not have a package.
var errNoPackage = errors.New("the registry does not have it")

func (c *checker) check(ctx context.Context, e catalog.Entry) (outcome, string) {
	switch {
	case e.Package == "":
		return elsewhere, "its vendor publishes no package"
	case e.Ecosystem != sbom.NPM:
		return elsewhere, "a package of another ecosystem"
	case c.refused.Load():
		return unasked, errTooMany.Error()
	}
	m, err := c.latest(ctx, e.Package)
	switch {
	case errors.Is(err, errTooMany):
		c.refused.Store(true)
		return unasked, err.Error()
	case errors.Is(err, errNoPackage) && e.Unreleased:
		return agrees, "still nobody's"
	case errors.Is(err, errNoPackage):
		return differs, err.Error()
	case err != nil:
		return unasked, err.Error()
	case e.Unreleased:
		return differs, fmt.Sprintf("somebody published it, the latest as %s, with the repository %q: find out who", m.Version, address(m.Repository))
	}
	if problem := disagrees(m, e); problem != "" {
		return differs, problem
	}
	if m.Dist.Attestations == nil {
		return agrees, m.Version + " names " + e.Repository
	}
	return c.verified(ctx, e, m.Version)
}

// disagrees says in what the manifest contradicts the entry.
func disagrees(m manifest, e catalog.Entry) string {
	if m.Name != e.Package {
		return fmt.Sprintf("the registry answers with %q", m.Name)
	}
	named := address(m.Repository)
	have, err := provenance.ParseRepository(named)
	if err != nil {
		return fmt.Sprintf("%s names the repository %q, the catalogue %s", m.Version, named, e.Repository)
	}
	if !strings.EqualFold(have.String(), e.Repository) {
		return fmt.Sprintf("%s names the repository %s, the catalogue %s", m.Version, have, e.Repository)
	}
	return ""
}

// verified judges the attestations of a version by what the catalogue expects.
func (c *checker) verified(ctx context.Context, e catalog.Entry, version string) (outcome, string) {
	subject := provenance.Subject{Ecosystem: sbom.NPM, Name: e.Package, Version: version}
	set, err := c.attestations.Attestations(ctx, subject)
	if err != nil {
		return unasked, err.Error()
	}
	result := c.verifier.Package(subject, provenance.Expectation{
		From: "catalog", Repo: e.Repository, RepositoryID: e.RepositoryID, OwnerID: e.OwnerID, Workflow: e.Workflow,
	}, set)
	switch result.State {
	case provenance.Verified:
		return agrees, fmt.Sprintf("%s is verified to come from %s, repository id %s, owner id %s",
			version, e.Repository, result.Source.RepositoryID, result.Source.OwnerID)
	case provenance.Unavailable, provenance.Stripped:
		return unasked, fmt.Sprintf("%s: %s", version, result.Reason)
	default:
		return differs, fmt.Sprintf("%s is %s: %s", version, result.State, result.Reason)
	}
}

// manifest is what a registry says of one version.
type manifest struct {
	Name       string          `json:"name"`
	Version    string          `json:"version"`
	Repository json.RawMessage `json:"repository"`
	Dist       struct {
		Attestations any `json:"attestations"`
	} `json:"dist"`
}

// latest asks for the latest version of a package.
func (c *checker) latest(ctx context.Context, name string) (manifest, error) {
	registry, err := c.config.Registry(name)
	if err != nil {
		return manifest{}, err
	}
	target := registry.String() + strings.Replace(name, "/", "%2f", 1) + "/latest"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return manifest{}, err
	}
	request.Header.Set("Accept", "application/json")
	if value := c.config.Credentials(request.URL).Authorization(); value != "" {
		request.Header.Set("Authorization", value)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return manifest{}, err
	}
	defer func() { _ = response.Body.Close() }() // it was only read from
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return manifest{}, errNoPackage
	case http.StatusTooManyRequests:
		return manifest{}, errTooMany
	default:
		return manifest{}, fmt.Errorf("the registry answers %s", response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxManifest+1))
	if err != nil {
		return manifest{}, err
	}
	if len(data) > maxManifest {
		return manifest{}, fmt.Errorf("the registry's answer is longer than %d bytes", maxManifest)
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return manifest{}, fmt.Errorf("the registry's answer: %w", err)
	}
	return m, nil
}

// address returns the URL of a manifest's repository: that of an object, a URL, or
// owner/name with or without a host's word, as package.json allows. What is nothing
// of that has none.
func address(repository json.RawMessage) string {
	var object struct {
		URL string `json:"url"`
	}
	var text string
	if json.Unmarshal(repository, &text) != nil && json.Unmarshal(repository, &object) == nil {
		text = object.URL
	}
	prefix, short, ok := strings.Cut(text, ":")
	if !ok {
		prefix, short = "github", text
	}
	if host := hosts[prefix]; host != "" && strings.Count(short, "/") == 1 {
		return host + short
	}
	return text
}

// hosts are those that package.json may name by a word before owner/name.
var hosts = map[string]string{"github": "https://github.com/", "gitlab": "https://gitlab.com/", "bitbucket": "https://bitbucket.org/"}

// registryColumn is the column of packages.tsv that holds the day.
const registryColumn = 7

// stampPackages writes the day into the lines of the npm packages that agreed.
func stampPackages(data []byte, day string, agreed map[string]bool) []byte {
	lines := strings.SplitAfter(string(data), "\n")
	for i, line := range lines {
		columns := strings.Split(line, "\t")
		name, npmPackage := strings.CutPrefix(columns[0], "npm:")
		if npmPackage && agreed[name] && len(columns) > registryColumn {
			columns[registryColumn] = day
			lines[i] = strings.Join(columns, "\t")
		}
	}
	return []byte(strings.Join(lines, ""))
}

// stampServers does so in servers.yaml, where the day stands behind documented.
func stampServers(data []byte, day string, agreed map[string]bool) []byte {
	var out strings.Builder
	stamping, ecosystem := false, ""
	for line := range strings.SplitAfterSeq(string(data), "\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.Trim(value, ` "`)
		switch key {
		case "- name":
			stamping, ecosystem = false, ""
		case "ecosystem":
			ecosystem = value
		case "package":
			stamping = ecosystem == string(sbom.NPM) && agreed[value]
		case "registry_checked":
			if stamping {
				continue
			}
		}
		out.WriteString(line)
		if key == "documented" && stamping {
			out.WriteString("    registry_checked: " + day + "\n")
		}
	}
	return []byte(out.String())
}
