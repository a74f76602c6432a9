package mcp

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"unicode/utf8"

	"countermark/sbom"
)

// Reader implements [sbom.Reader] for MCP client configurations. The zero value
// is ready to use.
type Reader struct{}

var _ sbom.Reader = Reader{}

// Recognize returns the client whose configuration is at that path, such as
// "claude-desktop", or "".
func (Reader) Recognize(path string) string {
	c, _ := clientOf(path)
	return c.name
}

// Sniff returns "mcp" for a JSON object (comments allowed) that holds servers
// under "mcpServers" or "servers", or is one server itself.
func (Reader) Sniff(data []byte) string {
	// A file that was named by the user and is something else must not be
	// claimed, so an entry has to look like a server.
	d, problem := parse(data)
	if problem != nil {
		return ""
	}
	d.file = &sbom.File{} // never asked for its problems
	root := object(&d.root)
	if root == nil {
		return ""
	}
	quiet := quietFields(root)
	for _, key := range both {
		f := member(quiet, key)
		if f == nil || object(f.value) == nil {
			continue
		}
		entries := quietFields(object(f.value))
		if len(entries) == 0 && key == mcpServers {
			return sniffedKind
		}
		for _, e := range entries {
			if o := object(e.value); o != nil && looksLikeServer(quietFields(o)) {
				return sniffedKind
			}
		}
	}
	if command := member(quiet, "command"); command != nil && isText(command.value) && member(quiet, "args") != nil {
		return sniffedKind
	}
	return ""
}

// Read adds the servers of every configuration to b.
func (Reader) Read(ctx context.Context, files []*sbom.File, b *sbom.Builder) error {
	r := run{builder: b, refs: map[string]bool{}, manifests: map[string]manifest{}}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.read(ctx, f)
	}
	return ctx.Err()
}

// run is one call of Read.
type run struct {
	builder *sbom.Builder
	refs    map[string]bool // of servers, used in any file

	manifests map[string]manifest // the package.json files that were looked at, by their path
}

func (r *run) read(ctx context.Context, f *sbom.File) {
	c, ok := clientOf(f.Name)
	if !ok {
		c = sniffed
	}
	coverage := sbom.CompleteCoverage
	entries, ok := entriesOf(f, c)
	if !ok {
		coverage = sbom.IncompleteCoverage
	}
	file := r.builder.Add(sbom.Component{
		Ref: "mcp:" + f.Path, Type: sbom.FileType, Name: f.Path, Coverage: coverage,
	}, sbom.Use{}, sbom.Occurrence{Path: f.Path})
	r.builder.Link(sbom.Root, file)
	for _, e := range entries {
		if ctx.Err() != nil {
			return
		}
		r.add(file, f, e)
	}
}

// entriesOf returns what the file configures, and whether that is all of it.
func entriesOf(f *sbom.File, c client) ([]entry, bool) {
	if c.unread != "" {
		if !bytes.Contains(unescaped(f.Data), []byte(c.unread)) && !wide(f.Data) {
			return nil, true
		}
		f.Problem(sbom.Problem{Code: sbom.Unsupported, Message: "it configures MCP servers in a format that this version does not read", Hint: "exclude the file in the policy if its servers are not used here"})
		return nil, false
	}
	d, problem := parse(f.Data)
	if problem != nil {
		f.Problem(*problem)
		return nil, false
	}
	d.file = f
	return d.entries(c)
}

// escapes are the ways of JSON, YAML and TOML to write a letter of a key by its
// number, and YAML's of going on in the next line.
var escapes = lazy(`\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2}))|\\\r?\n[ \t]*`)

// unescaped decodes the escapes of a text, wherever they stand.
func unescaped(data []byte) []byte {
	return escapes.ReplaceAllFunc(data, func(e []byte) []byte {
		if e[1] == '\r' || e[1] == '\n' {
			return nil
		}
		n, err := strconv.ParseUint(string(e[2:]), 16, 32)
		if err != nil {
			return e
		}
		return utf8.AppendRune(nil, rune(n)) //nolint:gosec // what is no rune becomes the one for errors
	})
}

// wide reports whether a text is in UTF-16 or UTF-32, where none of our words is
// found.
func wide(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) || bytes.IndexByte(data, 0) >= 0
}

func (r *run) add(file sbom.ID, f *sbom.File, e entry) {
	server, subjects := e.analyze(f, r)
	ref := r.unique(fmt.Sprintf("mcp:%s#%s", f.Path, server.Name))
	id := r.builder.Add(sbom.Component{
		Ref: ref, Type: sbom.Application, Name: server.Name, Server: server,
	}, sbom.Use{}, sbom.Occurrence{Path: f.Path, Line: server.Line, Column: server.Column})
	r.builder.Link(file, id)

	launches := make([]sbom.Launch, len(subjects))
	ids := make([]sbom.ID, len(subjects))
	for i, s := range subjects {
		at := sbom.Occurrence{Path: f.Path, Line: s.at.line, Column: s.at.column}
		launches[i], ids[i] = s.launch, sbom.NoID
		switch {
		case s.component != nil:
			ids[i] = r.builder.Add(*s.component, sbom.Use{}, at)
		case s.service != nil:
			ids[i] = r.builder.AddService(*s.service, at)
		}
	}
	r.builder.Launches(id, launches, ids)
}

// unique makes the ref of a server differ from all others: the second one of a
// name gets ~2.
func (r *run) unique(ref string) string {
	out := ref
	for n := 2; r.refs[out]; n++ {
		out = fmt.Sprintf("%s~%d", ref, n)
	}
	r.refs[out] = true
	return out
}
