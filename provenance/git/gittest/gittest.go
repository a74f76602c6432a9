// Package gittest is a host of repositories for tests: lists of references behind a
// real http.Handler, as git's smart HTTP protocol has them.
//
// It knows nothing of package git, so that a mistake there is not made here again.
package gittest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Host serves repositories. The zero value has none; its methods may be called while it
// serves.
type Host struct {
	mu       sync.Mutex
	lists    map[string]map[string]string
	requests []string
}

// Set puts a reference of the repository at a path, such as /o/r, to a commit. A name
// that ends in "^{}" is what a tag with an object of its own is about.
func (h *Host) Set(path, ref, commit string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lists == nil {
		h.lists = map[string]map[string]string{}
	}
	if h.lists[path] == nil {
		h.lists[path] = map[string]string{}
	}
	h.lists[path][ref] = commit
}

// Requests are the hosts and URLs that were asked for.
func (h *Host) Requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

// ServeHTTP answers with a list of references.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = append(h.requests, r.Host+r.URL.String())
	path, ok := strings.CutSuffix(r.URL.Path, "/info/refs")
	list := h.lists[strings.TrimSuffix(path, ".git")]
	if !ok || list == nil || r.URL.Query().Get("service") != "git-upload-pack" || r.Method != http.MethodGet {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
	var out strings.Builder
	line(&out, "# service=git-upload-pack\n")
	out.WriteString("0000")
	var names []string
	for name := range list {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		capabilities := ""
		if i == 0 {
			capabilities = "\x00multi_ack symref=HEAD:refs/heads/main agent=test"
		}
		line(&out, list[name]+" "+name+capabilities+"\n")
	}
	out.WriteString("0000")
	_, _ = io.WriteString(w, out.String()) // a client that goes away is its own business
}

func line(out *strings.Builder, text string) { fmt.Fprintf(out, "%04x%s", len(text)+4, text) }
