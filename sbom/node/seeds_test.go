package node

import (
	"os"
	"path/filepath"
	"testing"
)

// seedSize bounds a seed: of a larger file a fuzzer changes what nobody reads
// twice. What is larger is cut, which is a case of its own.
const seedSize = 8 << 10

// realSeeds are the lockfiles of that name in the shared test data, and those of
// the test data here.
func realSeeds(f *testing.F, name string, own ...string) (seeds []string) {
	f.Helper()
	dir := os.Getenv("COUNTERMARK_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	files, err := filepath.Glob(filepath.Join(dir, "data", "lockfiles", "*", name))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, string(data[:min(len(data), seedSize)]))
	}
	for _, name := range own {
		data := gunzip(f, name)
		seeds = append(seeds, string(data[:min(len(data), seedSize)]))
	}
	return seeds
}
