package provenance

import "testing"

func TestOfRelease(t *testing.T) {
	tests := []struct {
		file, project, version string
		want                   bool
	}{
		{"acme_tool-1.0-py3-none-any.whl", "acme-tool", "1.0", true},
		{"Acme.Tool-1.0.0-py2.py3-none-any.whl", "acme_tool", "1", true},
		{"acme_tool-1.0-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "acme-tool", "1.0", true},
		{"acme_tool-1.0.tar.gz", "acme-tool", "1.0", true},
		{"acme-tool-1.0.zip", "acme-tool", "1.0", true},
		{"acme-tool-1.0-1.tar.gz", "acme-tool", "1.0.post1", true}, // PEP 440's implicit post release
		{"acme_tool-1.0rc1.tar.gz", "acme-tool", "1.0.RC.1", true},
		{"acme_tool-2!1.0.tar.bz2", "acme-tool", "2!1.0", true},
		{"acme_tool-1.0+local.tar.gz", "acme-tool", "1.0", true}, // ==1.0 takes it, and prefers it
		{"acme_tool-1.0+cu_12-py3-none-any.whl", "acme-tool", "1.0.0+CU.12", true},

		{"acme_tool-1.0-py3-none-any.whl", "acme-tool", "1.1", false},
		{"acme_tool-1.0-py3-none-any.whl", "acme", "1.0", false},
		{"acme_tool-1.1+local.tar.gz", "acme-tool", "1.0", false},
		{"acme_tool-1.0.tar.gz", "acme-tool", "1.0+local", false},
		{"acme_tool-1.0+other.tar.gz", "acme-tool", "1.0+local", false},
		{"acme-tool-1.0.tar.gz", "acme", "1.0", false},
		{"acme_tool-1.0.post1.tar.gz", "acme-tool", "1.0", false},
		{"acme_tool-1.0.dev1-py3-none-any.whl", "acme-tool", "1.0", false},
		{"acme_tool-1.0-none-any.whl", "acme-tool", "1.0", false},
		{"acme_tool-1.0-1-2-py3-none-any.whl", "acme-tool", "1.0", false},
		{"acme_tool-1.0-py3.egg", "acme-tool", "1.0", false},
		{"acme_tool-1.0.exe", "acme-tool", "1.0", false},
		{"../acme_tool-1.0.tar.gz", "../acme-tool", "1.0", false},
		{`x\acme_tool-1.0.tar.gz`, "acme-tool", "1.0", false},
		{"acme_tool-.tar.gz", "acme-tool", "", false},
		{"-1.0.tar.gz", "", "1.0", true}, // no project has that name, so nobody asks
		{"", "", "", false},
	}
	for _, tt := range tests {
		if got := OfRelease(tt.file, tt.project, tt.version); got != tt.want {
			t.Errorf("OfRelease(%q, %q, %q) = %v", tt.file, tt.project, tt.version, got)
		}
	}
}

func TestSameDistribution(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"acme_tool-1.0-py3-none-any.whl", "Acme.tool-1.0.0-py3-none-any.whl", true},
		{"acme_tool-1.0-py2.py3-none-any.whl", "acme_tool-1.0-py3.py2-none-any.whl", true},
		{"acme_tool-1.0.tar.gz", "acme-tool-1.0.tar.gz", true},
		{"acme_tool-1.0-py3-none-any.whl", "acme_tool-1.0-py2-none-any.whl", false},
		{"acme_tool-1.0-py3-none-any.whl", "acme_tool-1.0-1-py3-none-any.whl", false},
		{"acme_tool-1.0-py3-none-any.whl", "acme_tool-1.0.tar.gz", false},
		{"acme_tool-1.0.zip", "acme_tool-1.0.tar.gz", false},
		{"acme_tool-1.0.tar.gz", "acme_tool-1.1.tar.gz", false},
		{"acme_tool-1.0.tar.gz", "other-1.0.tar.gz", false},
	}
	for _, tt := range tests {
		if sameDistribution(tt.a, tt.b, "acme-tool") != tt.want || sameDistribution(tt.b, tt.a, "acme-tool") != tt.want {
			t.Errorf("%q and %q: want %v", tt.a, tt.b, tt.want)
		}
	}
}

func TestSplitDistribution(t *testing.T) {
	for file, want := range map[string][2]string{
		"acme_tool-1.0-py3-none-any.whl": {"acme_tool", "1.0"},
		"acme-tool-1.0.tar.gz":           {"acme-tool", "1.0"},
		"acme_tool-1.0.zip":              {"acme_tool", "1.0"},
		"readme.zip":                     {},
		"pkg:npm/a@1.0.0":                {},
		"acme_tool-x.tar.gz":             {},
		"-1.0.tar.gz":                    {},
	} {
		project, version, ok := SplitDistribution(file)
		if ok != (want != [2]string{}) || ok && (project != want[0] || version != want[1]) {
			t.Errorf("%q: %q, %q, %v", file, project, version, ok)
		}
	}
}
