// Package pypitest is an index of Python packages for tests: projects with files
// and their provenance objects (PEP 691, PEP 740) behind a real http.Handler, and
// the publishers' side that makes attestations of sigstore bundles.
//
// It knows nothing of package pypi, so that a mistake there is not made here
// again. Serve it with httptest.NewServer.
package pypitest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"countermark/provenance/provenancetest"
)

// Index is an index. The zero value serves nothing below /simple/; its methods may
// be called while it serves.
type Index struct {
	mu       sync.Mutex
	projects map[string][]File
	fault    http.HandlerFunc
	requests []*http.Request
	// API is the version that it says its API has; "1.4" where it is empty.
	API string
}

// File is one file of a project.
type File struct {
	Name   string
	SHA256 string
	Yanked bool
	Python string // requires-python
	// Provenance is the provenance object; nil where there is none.
	Provenance []byte
	// Missing: an object is promised and not served.
	Missing bool
	// URL is where the object is said to be, by default on the index itself.
	URL string
}

// Add adds a file to a project, by the normal form of its name.
func (x *Index) Add(project string, f File) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.projects == nil {
		x.projects = map[string][]File{}
	}
	x.projects[project] = append(x.projects[project], f)
}

// Break lets a handler answer in the place of the index; nil mends it.
func (x *Index) Break(h http.HandlerFunc) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.fault = h
}

// Requests returns what was asked, in order.
func (x *Index) Requests() []*http.Request {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]*http.Request{}, x.requests...)
}

// ServeHTTP implements http.Handler.
func (x *Index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	x.requests = append(x.requests, r)
	fault := x.fault
	x.mu.Unlock()
	if fault != nil {
		fault(w, r)
		return
	}
	x.Serve(w, r)
}

// Serve answers as the whole index does.
func (x *Index) Serve(w http.ResponseWriter, r *http.Request) {
	if file, ok := strings.CutPrefix(r.URL.Path, "/integrity/"); ok {
		x.serveProvenance(w, file)
		return
	}
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, "/simple/"), "/")
	x.mu.Lock()
	files, ok := x.projects[name]
	x.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	if !strings.Contains(r.Header.Get("Accept"), "application/vnd.pypi.simple.v1+json") {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!DOCTYPE html><title>Links</title>")) // a test's own client
		return
	}
	list := []any{}
	for _, f := range files {
		entry := map[string]any{"filename": f.Name, "url": "/files/" + f.Name, "hashes": map[string]any{"sha256": f.SHA256}, "yanked": f.Yanked, "provenance": nil}
		if f.Python != "" {
			entry["requires-python"] = f.Python
		}
		if f.Provenance != nil || f.Missing {
			entry["provenance"] = "/integrity/" + f.Name
		}
		if f.URL != "" {
			entry["provenance"] = f.URL
		}
		list = append(list, entry)
	}
	api := x.API
	if api == "" {
		api = "1.4"
	}
	w.Header().Set("Content-Type", "application/vnd.pypi.simple.v1+json")
	_ = json.NewEncoder(w).Encode(map[string]any{"meta": map[string]any{"api-version": api}, "name": name, "files": list, "versions": []any{}}) // a test's own client
}

func (x *Index) serveProvenance(w http.ResponseWriter, file string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, files := range x.projects {
		for _, f := range files {
			if f.Name == file && f.Provenance != nil {
				w.Header().Set("Content-Type", "application/vnd.pypi.integrity.v1+json")
				_, _ = w.Write(f.Provenance) // a test's own client
				return
			}
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

// Statement is what a publisher signs of a file.
func Statement(file, sha256 string) ([]byte, error) {
	return json.Marshal(map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://docs.pypi.org/attestations/publish/v1", "predicate": nil,
		"subject": []any{map[string]any{"name": file, "digest": map[string]any{"sha256": sha256}}},
	})
}

// Attestation makes an attestation of a sigstore bundle of version 0.3.
func Attestation(bundle []byte) (map[string]any, error) {
	var b struct {
		Material struct {
			Certificate struct {
				RawBytes string `json:"rawBytes"`
			} `json:"certificate"`
			Entries []any `json:"tlogEntries"`
		} `json:"verificationMaterial"`
		Envelope struct {
			Payload    string `json:"payload"`
			Signatures []struct {
				Sig string `json:"sig"`
			} `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		return nil, err
	}
	signature := ""
	if len(b.Envelope.Signatures) > 0 {
		signature = b.Envelope.Signatures[0].Sig
	}
	return map[string]any{
		"version":               1,
		"verification_material": map[string]any{"certificate": b.Material.Certificate.RawBytes, "transparency_entries": b.Material.Entries},
		"envelope":              map[string]any{"statement": b.Envelope.Payload, "signature": signature},
	}, nil
}

// Provenance makes a provenance object of the bundles of one publisher.
func Provenance(publisher map[string]any, bundles ...[]byte) ([]byte, error) {
	list := []any{}
	for _, b := range bundles {
		a, err := Attestation(b)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return json.Marshal(map[string]any{"version": 1, "attestation_bundles": []any{map[string]any{"publisher": publisher, "attestations": list}}})
}

// Publisher is the publisher that an honest index names for a build on GitHub.
func Publisher(b provenancetest.Build) map[string]any {
	b = b.Defaults()
	return map[string]any{
		"kind": "GitHub", "repository": strings.TrimPrefix(b.Repository, "https://github.com/"),
		"workflow": b.Workflow[strings.LastIndexByte(b.Workflow, '/')+1:], "environment": nil,
	}
}

// Publish makes a file of that name and content, which the build published.
func Publish(s *provenancetest.Sigstore, b provenancetest.Build, name, content string) (File, error) {
	f := File{Name: name, SHA256: Sum(content)}
	statement, err := Statement(name, f.SHA256)
	if err != nil {
		return f, err
	}
	bundle, err := s.Sign(statement, b.Identity())
	if err != nil {
		return f, err
	}
	f.Provenance, err = Provenance(Publisher(b), bundle)
	return f, err
}

// Sum is the SHA-256 of a file's content, in hex.
func Sum(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// Basic is the header of a user name with a password.
func Basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
