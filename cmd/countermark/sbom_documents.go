package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"countermark/sbom"
	"countermark/sbom/bom"

	"github.com/spf13/cobra"
)

// readDocument reads a CycloneDX document that the user names; - is standard input.
// What is not there is wrong usage, what cannot be read is unknown.
func (p *program) readDocument(name string) (*bom.Document, error) {
	data, err := p.readNamed(name)
	if err != nil {
		return nil, err
	}
	d, err := bom.Read(data)
	if err != nil {
		return nil, unreadableDocument(name, err)
	}
	for _, l := range d.Unread {
		p.warn("CycloneDX has no such field or value there, or it is not read", "%s%s", place(name, l.Line, 0), l)
	}
	return d, nil
}

// readWritable reads a document to make another one of it.
func (p *program) readWritable(name string) (*bom.Document, error) {
	d, err := p.readDocument(name)
	if err != nil {
		return nil, err
	}
	if err := d.Writable(); err != nil {
		return nil, unreadableDocument(name, err)
	}
	return d, nil
}

// onceFromStdin refuses to read standard input twice: the second time it is empty.
func onceFromStdin(names []string) error {
	first := slices.Index(names, "-")
	if first >= 0 && slices.Contains(names[first+1:], "-") {
		return usageError("name the other one as a file", "- is standard input, which cannot be read twice")
	}
	return nil
}

func unreadableDocument(name string, err error) error {
	e, ok := errors.AsType[*bom.Error](err)
	if !ok {
		return fmt.Errorf("%s: %w", name, err)
	}
	return &exitError{code: exitUnknown, message: place(name, e.Line, e.Column) + e.Message, hints: []string{e.Hint}}
}

// readNamed reads a file of bounded size.
func (p *program) readNamed(name string) ([]byte, error) {
	in := p.stdin
	if name != "-" {
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, usageError("name an existing file", "%s: there is no such file", name)
		case err != nil:
			return nil, usageError("name a file that can be read", "%s: cannot be opened: %v", name, sbom.Pathless(err))
		case !info.Mode().IsRegular():
			return nil, usageError("name a CycloneDX document", "%s: is no file", name)
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, usageError("name a file that can be read", "%s: cannot be opened: %v", name, sbom.Pathless(err))
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, bom.MaxSize+1))
	if err != nil {
		return nil, &exitError{code: exitUnknown, message: fmt.Sprintf("%s: cannot be read: %v", name, sbom.Pathless(err)), hints: []string{"make it readable"}}
	}
	return data, nil
}

// targetFlags say how a document is written.
type targetFlags struct {
	output, version, format string
}

func (t *targetFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	addOutput(flags, &t.output)
	flags.StringVar(&t.version, "spec-version", "", "CycloneDX `VERSION`, 1.2 to 1.7 (default: as it was read)")
	flags.StringVar(&t.format, "format", "", "write as `FORMAT`: json or xml (default: as it was read)")
}

func (t *targetFlags) validate() error {
	if t.version != "" && !slices.Contains(bom.Versions(), t.version) {
		return usageError("use one of them", "--spec-version is %q: expected 1.2 to 1.7", t.version)
	}
	if t.format != "" && t.format != "json" && t.format != "xml" {
		return usageError("use one of them", "--format is %q: expected json or xml", t.format)
	}
	return nil
}

// writeDocument writes a document, and names what did not come along.
func (p *program) writeDocument(name string, d *bom.Document, t targetFlags) error {
	text, losses, err := d.Write(t.version, t.format)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, l := range losses {
		p.warn("write a newer --spec-version, or --format json, to keep it; signatures never hold for another file", "%s: %s", name, l)
	}
	return p.output(t.output, func(w io.Writer) error { _, err := w.Write(text); return err })
}

func (p *program) sbomConvertCommand() *cobra.Command {
	var target targetFlags
	cmd := &cobra.Command{
		Use:   "convert FILE",
		Short: "write a CycloneDX document in another version or format",
		Long: `Reads a CycloneDX document of any tool (1.2 to 1.7, JSON or XML; - is standard
input) and writes it in another version or format. What an older version or the
other format cannot hold is left out, so that the result is valid, and each such
field is named on standard error, as is every field that was not read.

Exit codes: 0 written, be it with fields left out; 2 wrong usage; 3 FILE is no
document that can be read, or has a component of a type that no version knows.`,
		Example: `  countermark sbom convert --spec-version 1.4 --format xml sbom.cdx.json
  countermark sbom convert --spec-version 1.6 -o new.cdx.json old.cdx.xml`,
		Args: arguments(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := target.validate(); err != nil {
				return err
			}
			d, err := p.readWritable(args[0])
			if err != nil {
				return err
			}
			return p.writeDocument(args[0], d, target)
		},
	}
	target.add(cmd)
	return cmd
}
