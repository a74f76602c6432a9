package bom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// Encode writes a document in that version and format, without looking whether the
// version can hold it. It comes as blocks of whole lines.
func Encode(bom *cdx.BOM, version, format string) ([][]byte, error) {
	target, ok := specVersion(version)
	if !ok {
		return nil, unsupported(version)
	}
	out := *bom
	setVersion(&out, target)
	if format != "xml" {
		return jsonBlocks(&out)
	}
	text, err := encodeXML(&out)
	return [][]byte{text}, err
}

func encode(bom *cdx.BOM, format string) ([]byte, error) {
	if format == "xml" {
		return encodeXML(bom)
	}
	blocks, err := jsonBlocks(bom)
	return bytes.Join(blocks, nil), err
}

func encodeXML(bom *cdx.BOM) ([]byte, error) {
	var buf bytes.Buffer
	enc := cdx.NewBOMEncoder(&buf, cdx.BOMFileFormatXML)
	enc.SetPretty(true)
	if err := enc.Encode(bom); err != nil {
		return nil, err
	}
	return withElements(buf.Bytes()), nil
}

// blockLength is how many elements of a list are encoded at once.
const blockLength = 256

// jsonBlocks gives what the library writes with SetPretty, but lets every processor
// encode a part of the two long lists, and keeps no second copy of all.
func jsonBlocks(bom *cdx.BOM) ([][]byte, error) {
	frame := *bom
	var lists []longList
	lists, frame.Components = cut(lists, "components", bom.Components)
	lists, frame.Dependencies = cut(lists, "dependencies", bom.Dependencies)
	var rest whole
	enc := cdx.NewBOMEncoder(&rest, cdx.BOMFileFormatJSON)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&frame); err != nil {
		return nil, err
	}
	var blocks [][]byte
	var chunks []chunk
	for _, l := range lists {
		// A key of the document itself is the only one that stands so far left.
		key := "\n  \"" + l.name + "\": ["
		before, after, ok := bytes.Cut(rest, []byte(key+"]"))
		if !ok {
			return nil, fmt.Errorf("no place for %s", l.name)
		}
		blocks = append(blocks, slices.Concat(before, []byte(key+"\n")))
		for i, values := range l.chunks {
			chunks = append(chunks, chunk{len(blocks), values, i == len(l.chunks)-1})
			blocks = append(blocks, nil)
		}
		rest = slices.Concat([]byte("  ]"), after)
	}
	blocks = append(blocks, rest)
	return blocks, encodeChunks(blocks, chunks)
}

// longList is one that is encoded in parts.
type longList struct {
	name   string
	chunks []any
}

// cut takes a long list apart, and returns an empty one in its place.
func cut[T any](lists []longList, name string, values *[]T) ([]longList, *[]T) {
	if values == nil || len(*values) == 0 {
		return lists, values
	}
	l := longList{name: name}
	for chunk := range slices.Chunk(*values, blockLength) {
		l.chunks = append(l.chunks, chunk)
	}
	return append(lists, l), &[]T{}
}

// chunk is some elements of a list, and which block they become.
type chunk struct {
	block  int
	values any
	last   bool // of its list
}

func encodeChunks(blocks [][]byte, chunks []chunk) error {
	failed := make([]error, len(chunks))
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for i, c := range chunks {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			enc := json.NewEncoder(elementLines{&blocks[c.block], c.last})
			enc.SetEscapeHTML(false)
			failed[i] = enc.Encode(c.values)
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// whole takes the one line that encoding/json writes at once, and keeps it indented.
type whole []byte

func (w *whole) Write(line []byte) (int, error) {
	*w = indent(*w, line, 0)
	return len(line), nil
}

// elementLines takes the line of a list, and keeps its elements as they stand in a list
// of the document.
type elementLines struct {
	into *[]byte
	last bool
}

func (e elementLines) Write(line []byte) (int, error) {
	const depth = 2
	inside := bytes.TrimSuffix(bytes.TrimPrefix(line, []byte("[")), []byte("]\n"))
	out := indent([]byte("    "), inside, depth)
	if !e.last {
		out = append(out, ',')
	}
	out = append(out, '\n')
	*e.into = out
	return len(line), nil
}
