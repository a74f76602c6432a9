package diff

import (
	"fmt"
	"io"
	"strings"

	"countermark/sbom/visible"
)

const (
	maxCell  = 300 // characters of one value
	maxLines = 500 // of one section; a forge refuses longer comments
)

// Markdown writes the result for a comment or a job summary (GitHub Flavored
// Markdown). All names are foreign text, and stand as text.
func (r *Result) Markdown(w io.Writer) error {
	m := &markdown{w: w}
	if r.Empty() {
		m.line("No differences between %s and %s.", subject(r.Old, "the old document"), subject(r.New, "the new document"))
		return m.err
	}
	m.line("**%d added, %d removed, %d changed, %d moved** from %s to %s.", len(r.Added), len(r.Removed), len(r.Changed), len(r.Moved),
		subject(r.Old, "the old document"), subject(r.New, "the new document"))
	section(m, "Added", r.Added, func(e Entry) string { return fmt.Sprintf("- %s (%s)", cell(e.String()), cell(e.Kind())) })
	section(m, "Removed", r.Removed, func(e Entry) string { return fmt.Sprintf("- %s (%s)", cell(e.String()), cell(e.Kind())) })
	section(m, "Changed", r.Changed, func(c Change) string {
		var fields []string
		for _, f := range c.Fields {
			fields = append(fields, cell(f.String()))
		}
		return fmt.Sprintf("- %s: %s", cell(c.Name), strings.Join(fields, "; "))
	})
	section(m, "Moved between scopes", r.Moved, func(v Move) string {
		return fmt.Sprintf("- %s: %s → %s", cell(v.String()), cell(v.From), cell(v.To))
	})
	return m.err
}

// Kind is the scope of a component, and of a service that it is one.
func (e Entry) Kind() string {
	if e.Scope != "" {
		return e.Scope
	}
	return e.Type
}

func subject(s Side, otherwise string) string {
	if s.Subject == "" {
		return otherwise
	}
	return cell(s.Subject)
}

func cell(s string) string { return visible.Markdown(s, maxCell) }

type markdown struct {
	w   io.Writer
	err error
}

func (m *markdown) line(format string, args ...any) {
	if m.err == nil {
		_, m.err = fmt.Fprintf(m.w, format+"\n", args...)
	}
}

func section[T any](m *markdown, title string, list []T, row func(T) string) {
	if len(list) == 0 {
		return
	}
	m.line("\n### %s\n", title)
	for i, v := range list {
		if i == maxLines {
			m.line("- … and %d more", len(list)-maxLines)
			return
		}
		m.line("%s", row(v))
	}
}
