package npm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"strings"
	"testing"
)

type entry struct {
	name, body string
	kind       byte
}

func tarball(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	zipped := gzip.NewWriter(&buf)
	archive := tar.NewWriter(zipped)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.body)), Typeflag: e.kind}
		if e.kind == tar.TypeSymlink {
			h.Linkname, h.Size = "elsewhere", 0
		}
		if err := archive.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := archive.Write([]byte(e.body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestReadTarball(t *testing.T) {
	manifest := func(name, version string) string { return `{"name":"` + name + `","version":"` + version + `"}` }
	good := tarball(t, entry{"package/index.js", "x", tar.TypeReg}, entry{"package/package.json", manifest("@s/a", "v1.0.0"), tar.TypeReg},
		entry{"package/deep/package.json", manifest("deep", "9.9.9"), tar.TypeReg})
	tests := []struct {
		name string
		data []byte
		want Tarball // without the digest
		err  string
	}{
		{"a package", good, Tarball{Name: "@s/a", Version: "1.0.0"}, ""},
		{"another first folder", tarball(t, entry{"./other/package.json", manifest("a", "1.0.0"), tar.TypeReg}), Tarball{Name: "a", Version: "1.0.0"}, ""},
		{"the last one is installed", tarball(t, entry{"package/package.json", manifest("a", "1.0.0"), tar.TypeReg}, entry{"package/package.json", manifest("b", "2.0.0"), tar.TypeReg}), Tarball{Name: "b", Version: "2.0.0"}, ""},
		{"a link is no manifest", tarball(t, entry{"package/package.json", "", tar.TypeSymlink}), Tarball{}, "no package.json"},
		{"no manifest", tarball(t, entry{"package/index.js", "x", tar.TypeReg}), Tarball{}, "no package.json"},
		{"no name", tarball(t, entry{"package/package.json", `{"version":"1.0.0"}`, tar.TypeReg}), Tarball{}, "no name and version"},
		{"keys in another case are others", tarball(t, entry{"package/package.json", `{"Name":"evil","name":"a","NAME":"evil","version":"1.0.0","Version":"9.9.9"}`, tar.TypeReg}), Tarball{Name: "a", Version: "1.0.0"}, ""},
		{"a name in another case alone", tarball(t, entry{"package/package.json", `{"Name":"a","version":"1.0.0"}`, tar.TypeReg}), Tarball{}, "no name and version"},
		{"a key twice is its last, as for npm", tarball(t, entry{"package/package.json", `{"name":"b","version":"1.0.0","name":"a"}`, tar.TypeReg}), Tarball{Name: "a", Version: "1.0.0"}, ""},
		{"a byte order mark", tarball(t, entry{"package/package.json", "\ufeff" + manifest("a", "1.0.0"), tar.TypeReg}), Tarball{Name: "a", Version: "1.0.0"}, ""},
		{"a list", tarball(t, entry{"package/package.json", `["name"]`, tar.TypeReg}), Tarball{}, "no name and version"},
		{"no JSON", tarball(t, entry{"package/package.json", `{"name":"a","version":"1.0.0"`, tar.TypeReg}), Tarball{}, "no name and version"},
		{"no gzip", []byte("plain"), Tarball{}, "no gzip"},
		{"cut", good[:len(good)-20], Tarball{}, "no whole tar file"},
		{"empty", nil, Tarball{}, "no gzip"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadTarball(bytes.NewReader(tt.data))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sum := sha512.Sum512(tt.data)
			tt.want.SHA512 = hex.EncodeToString(sum[:])
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Bytes behind the archive belong to the digest: they are what npm hashes.
func TestReadTarballHashesAllBytes(t *testing.T) {
	data := append(tarball(t, entry{"package/package.json", `{"name":"a","version":"1.0.0"}`, tar.TypeReg}), tarball(t)...)
	got, err := ReadTarball(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha512.Sum512(data); got.SHA512 != hex.EncodeToString(sum[:]) {
		t.Error("the digest is not that of all bytes")
	}
}
