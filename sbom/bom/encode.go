package bom

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// Block is some whole lines of a document.
type Block struct {
	Text  []byte
	Plain bool // nothing in it has to be shown as escapes, as visible.JSON would find
}

// Encode writes a document in that version and format, without looking whether the
// version can hold it.
func Encode(bom *cdx.BOM, version, format string) ([]Block, error) {
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
	return []Block{{Text: text}}, err
}

func encode(bom *cdx.BOM, format string) ([]byte, error) {
	if format == "xml" {
		return encodeXML(bom)
	}
	blocks, err := jsonBlocks(bom)
	var text []byte
	for _, block := range blocks {
		text = append(text, block.Text...)
	}
	return text, err
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
func jsonBlocks(bom *cdx.BOM) ([]Block, error) {
	frame := *bom
	var lists []longList
	lists, frame.Components = cut(lists, "components", bom.Components, (*lines).component)
	lists, frame.Dependencies = cut(lists, "dependencies", bom.Dependencies, (*lines).dependency)
	var line bytes.Buffer
	enc := cdx.NewBOMEncoder(&line, cdx.BOMFileFormatJSON)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&frame); err != nil {
		return nil, err
	}
	rest := indent(nil, line.Bytes(), 0)
	var blocks []Block
	var chunks []chunk
	for _, l := range lists {
		// A key of the document itself is the only one that stands so far left.
		key := "\n  \"" + l.name + "\": ["
		before, after, ok := bytes.Cut(rest, []byte(key+"]"))
		if !ok {
			return nil, fmt.Errorf("no place for %s", l.name)
		}
		blocks = append(blocks, Block{Text: slices.Concat(before, []byte(key+"\n"))})
		for _, write := range l.chunks {
			chunks = append(chunks, chunk{len(blocks), write})
			blocks = append(blocks, Block{})
		}
		rest = slices.Concat([]byte("  ]"), after)
	}
	blocks = append(blocks, Block{Text: rest})
	return blocks, encodeChunks(blocks, chunks)
}

// longList is one that is encoded in parts.
type longList struct {
	name   string
	chunks []func(*lines) error
}

// cut takes a long list apart, and returns an empty one in its place.
func cut[T any](lists []longList, name string, values *[]T, write func(*lines, *T)) ([]longList, *[]T) {
	if values == nil || len(*values) == 0 {
		return lists, values
	}
	l := longList{name: name}
	for start := 0; start < len(*values); start += blockLength {
		end := min(start+blockLength, len(*values))
		l.chunks = append(l.chunks, func(to *lines) error { return writeElements(to, (*values)[start:end], write, end == len(*values)) })
	}
	return append(lists, l), &[]T{}
}

// chunk is some elements of a list, and which block they become.
type chunk struct {
	block int
	write func(*lines) error
}

func encodeChunks(blocks []Block, chunks []chunk) error {
	failed := make([]error, len(chunks))
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(chunks)) {
		all.Go(func() {
			const room = 1 << 20 // twice what a chunk needs; all share it that one processor writes
			l := lines{out: make([]byte, 0, room)}
			for i := int(next.Add(1)) - 1; i < len(chunks); i = int(next.Add(1)) - 1 {
				l.out, l.strange = l.out[:0], false
				failed[i] = chunks[i].write(&l)
				blocks[chunks[i].block] = Block{Text: bytes.Clone(l.out), Plain: !l.strange}
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}
