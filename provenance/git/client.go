// Package git asks a repository which commit a branch or tag is at the moment,
// without git.
//
// In flow the URL of a repository, as a configuration names it, and the name of a
// branch or tag; out flows the commit, or why nobody knows it. No host is built in,
// and none is asked that the URL does not name, but for those that it redirects to.
// Nothing of the repository is fetched but its list of references
// (git-scm.com/docs/http-protocol, "Smart clients", version 0: one request). It is the
// host's own word, as it is for whoever clones.
package git

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"countermark/provenance/fetch"
	"countermark/sbom"
)

// Client asks repositories. It may be used by many goroutines, and must not be copied;
// fields must not change after the first call.
type Client struct {
	// Transport sends the requests; it must neither add credentials nor follow
	// redirects.
	Transport http.RoundTripper
	// Version is the program's, for the User-Agent header.
	Version string
	// Sleep waits between attempts, and returns early with an error when the context
	// ends; nil stands for a timer.
	Sleep func(ctx context.Context, d time.Duration) error

	once sync.Once
	http fetch.Client
}

// maxReferences bounds the list of references, in bytes: large repositories name each
// change that was ever proposed to them.
const maxReferences = 128 << 20

// advertisement is the media type of such a list.
const advertisement = "application/x-git-upload-pack-advertisement"

// Error is why nobody knows a commit.
type Error struct{ Reason, Hint string }

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

const hintCommit = "write the full commit behind the URL: git+URL@COMMIT for uvx and pipx, URL#COMMIT for npx"

var words = fetch.Words{What: "repository", Named: "the launch", Credentials: func(string) string {
	return "nothing is there, or not for everybody; " + hintCommit
}}

// Commit returns the commit that a branch or tag of a repository is at the moment; of
// its default branch where ref is empty. An error is an [*Error], or the context's.
func (c *Client) Commit(ctx context.Context, repository, ref string) (string, error) {
	c.once.Do(func() {
		c.http.Transport, c.http.Version, c.http.Sleep, c.http.Words = c.Transport, c.Version, c.Sleep, words
	})
	u, err := ask(repository)
	if err != nil {
		return "", err
	}
	wanted := names(ref)
	a, fail := c.http.Get(ctx, fetch.Request{URL: u, Accept: advertisement, Refuse: inTheClear, Max: maxReferences, Take: func(kind string, r io.Reader) ([]byte, error) {
		if kind != advertisement {
			return nil, errNoList
		}
		return take(r, wanted)
	}})
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case fail != nil:
		return "", &Error{fail.Reason, fail.Hint}
	case a.Status != http.StatusOK:
		return "", &Error{sbom.RedactURL(repository) + " is no repository, or does not show itself to everybody", hintCommit}
	}
	commit, why := choose(a.Body, wanted)
	if why != "" {
		return "", &Error{sbom.RedactURL(repository) + " " + why, hintCommit}
	}
	return commit, nil
}

// ask returns the URL of the list of references.
func ask(repository string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimPrefix(repository, "git+"))
	switch {
	case err != nil || u.Host == "":
		return nil, &Error{"its URL is none", hintCommit}
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, &Error{"its URL is not encrypted, so that anybody on the way could answer", "write https:"}
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, &Error{"it is reached by " + u.Scheme + ", which is not asked", "write git+https:, or " + hintCommit}
	}
	if u.RawQuery != "" {
		return nil, &Error{"its URL has a query, which is no part of the repository that would be asked", hintCommit}
	}
	u.User, u.Fragment = nil, ""
	u = u.JoinPath("info/refs")
	u.RawQuery = "service=git-upload-pack"
	return u, nil
}

// inTheClear refuses a redirect from this machine to another one without encryption.
func inTheClear(_, to *url.URL) string {
	if to.Scheme == "http" && !isLoopback(to.Hostname()) {
		return "to another machine without encryption"
	}
	return ""
}

// isLoopback reports whether a host is this machine, where nobody is on the way.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// names are the references that a name can mean.
func names(ref string) []string {
	switch {
	case ref == "":
		return []string{"HEAD"}
	case strings.HasPrefix(ref, "refs/"):
		return []string{ref}
	case strings.HasPrefix(ref, "heads/"), strings.HasPrefix(ref, "tags/"):
		return []string{"refs/" + ref}
	default:
		return []string{"refs/tags/" + ref, "refs/heads/" + ref}
	}
}

var (
	errNoList = errors.New("is no list of a repository's references: the host may offer it in the old way only")
	errList   = errors.New("is no list of references that can be read")
)

// peeled stands behind a tag that has an object of its own, with the commit that it
// is about.
const peeled = "^{}"

// take reads a list of references, of which it keeps the lines with these names.
func take(r io.Reader, wanted []string) ([]byte, error) {
	in := bufio.NewReader(r)
	var out bytes.Buffer
	for flushes := 0; ; {
		line, err := packet(in)
		switch {
		case err != nil:
			return nil, err
		case line == nil:
			if flushes++; flushes == 2 {
				return out.Bytes(), nil
			}
			continue
		case flushes == 0: // what the service is called
			if !bytes.HasPrefix(line, []byte("# service=git-upload-pack")) {
				return nil, errList
			}
			continue
		}
		line, _, _ = bytes.Cut(line, []byte{0}) // what the server can do
		id, name, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		if ok && name != "capabilities^{}" && slices.Contains(wanted, strings.TrimSuffix(name, peeled)) {
			if !isCommit(id) {
				return nil, errList
			}
			fmt.Fprintf(&out, "%s %s\n", id, name)
		}
	}
}

// packet reads one line (git-scm.com/docs/protocol-common, "pkt-line Format"); nil for
// the one that ends a part.
func packet(in *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, cut(err)
	}
	n, err := strconv.ParseUint(string(head[:]), 16, 16)
	switch {
	case err != nil, n > 0 && n < 4:
		return nil, errList
	case n == 0:
		return nil, nil //nolint:nilnil // as the comment says
	}
	line := make([]byte, n-4)
	if _, err := io.ReadFull(in, line); err != nil {
		return nil, cut(err)
	}
	return line, nil
}

// cut is the error of an answer that ends too early, which may be whole the next time.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fetch.BrokenError{Err: errors.New("ends too early")}
	}
	return err
}

func isCommit(id string) bool {
	raw, err := hex.DecodeString(id)
	return err == nil && (len(raw) == 20 || len(raw) == 32) && strings.ToLower(id) == id
}

// choose takes the commit out of the lines that were kept, or says why there is none.
func choose(lines []byte, wanted []string) (commit, why string) {
	ids := map[string]string{}
	for line := range strings.Lines(string(lines)) {
		id, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if ids[name] != "" && ids[name] != id {
			return "", "has two commits under one name"
		}
		ids[name] = id
	}
	for _, name := range wanted {
		id := cmp.Or(ids[name+peeled], ids[name])
		switch {
		case id == "":
		case commit == "":
			commit = id
		case commit != id:
			return "", "has a branch and a tag of that name, with different commits"
		}
	}
	switch {
	case commit != "":
		return commit, ""
	case wanted[0] == "HEAD":
		return "", "has no default branch"
	default:
		return "", "has no branch or tag of that name"
	}
}
