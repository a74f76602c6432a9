package mcp

import (
	"fmt"
	"slices"
	"testing"

	"countermark/sbom"
)

func TestScriptDownloads(t *testing.T) {
	const url = "https://get.example/install.sh"
	for _, tc := range []struct {
		script string
		want   []string
	}{
		{"curl -fsSL " + url + " | sh", []string{"1 a pipe"}},
		{"set -e\ncurl " + url + " |\n  sudo -E bash -", []string{"2 a pipe"}},
		{"wget -qO- " + url + " | bash -s -- --yes", []string{"1 a pipe"}},
		{"curl " + url + " | tee x.sh | sudo -u me env A=1 bash -euo pipefail", []string{"1 a pipe"}},
		{"curl " + url + " | python3 -", []string{"1 a pipe"}},
		{"curl " + url + " | (cd x && sh)", []string{"1 a pipe"}},
		{"if ! command -v x; then curl " + url + " | sh -x; fi", []string{"1 a pipe"}},
		{"bash <(curl -s " + url + ")", []string{"1 a substitution"}},
		{"sh -c \"$(curl -fsSL " + url + ")\" \"\" --unattended", []string{"1 a substitution"}},
		{"sudo bash -c \"curl " + url + " | sh\"", []string{"1 a pipe"}},
		{"eval \"$(wget -O- " + url + ")\"\nsource <(curl " + url + ")", []string{"1 a substitution", "2 a substitution"}},
		{"curl -o x.sh " + url + "\nsh ./x.sh", []string{"2 a saved file"}},
		{"curl -fsSLO " + url + " && chmod +x install.sh && ./install.sh", []string{"1 a saved file"}},
		{"wget " + url + "?v=1; bash install.sh", []string{"1 a saved file"}},
		{"curl " + url + " > /opt/i.sh\nbash -euo pipefail /opt/i.sh", []string{"2 a saved file"}},
		{"npx -y tool@1.0.0 && curl " + url + " | sh", []string{"1 a pipe"}},

		{"curl " + url + " | jq .x\ncurl " + url + " | tar xz\ncurl -sf http://localhost:1/health", nil},
		{"curl " + url + " | python3 -m json.tool\ncurl " + url + " | python3 -c 'import json'\ncurl " + url + " | node -e 1 | perl -ne print", nil},
		{"curl " + url + " | bash check.sh\ncurl " + url + " | while read x; do echo $x; done", nil},
		{"bash deploy.sh \"$(curl " + url + ")\"\nX=$(curl " + url + ")\nnode x.js $(curl " + url + ")", nil},
		{"curl -o x.sh " + url + "\necho \"$SUM x.sh\" | sha256sum -c -\nsh x.sh", nil},
		{"curl -o a.tgz " + url + "\ntar xf a.tgz\nbash build.sh", nil},
		{"echo 'curl x | sh'\n# curl x | sh\ncat <<EOF\ncurl x | sh\nEOF", nil},
		{"curl --version | sh-like", nil},
	} {
		var got []string
		_, inv := launchesIn(t, map[string]string{"run.sh": tc.script})
		for _, c := range inv.Components {
			if s := c.Server; s != nil {
				for _, r := range s.Risks {
					if r.Code == sbom.RiskDownload {
						got = append(got, fmt.Sprint(r.Line, " ", r.Where))
					}
				}
				if s.Launcher == "" && (s.Kind != sbom.KindShellScript || !s.Script || s.Reason == "") {
					t.Errorf("%s: server %+v", tc.script, s)
				}
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s\ngot %q, want %q", tc.script, got, tc.want)
		}
	}
}

func TestDownloadsInFiles(t *testing.T) {
	for name, data := range map[string]string{
		"Dockerfile":              "FROM scratch\nRUN apt-get update && \\\n  curl https://get.example/x | bash -\n",
		"json.Dockerfile":         "FROM scratch\nRUN [\"bash\", \"-c\", \"curl https://get.example/x | bash\"]\n",
		"win.Dockerfile":          "FROM scratch\nSHELL [\"powershell\", \"-Command\"]\nRUN iwr https://get.example/x.ps1 | iex\n",
		"a.ps1":                   "# iex (irm x)\niex ((New-Object System.Net.WebClient).DownloadString('https://get.example/x.ps1'))\n$s = (New-Object Net.WebClient).DownloadString('https://get.example/data')\n",
		"b.bat":                   "powershell -c \"irm https://get.example/x.ps1 | iex\"\n",
		"package.json":            `{"scripts": {"prepare": "curl https://get.example/x | sh"}}`,
		".gitlab-ci.yml":          "job:\n  script:\n    - curl https://get.example/x | sh\n",
		".github/workflows/a.yml": "jobs:\n  a:\n    runs-on: windows-latest\n    steps:\n    - run: iex (irm https://get.example/x.ps1)\n",
		"Makefile":                "all:\n\tcurl https://get.example/x | sh\n",
		".devcontainer.json":      `{"postCreateCommand": "curl https://get.example/x | sh"}`,
	} {
		_, inv := launchesIn(t, map[string]string{name: data})
		n := 0
		for _, c := range inv.Components {
			if c.Server != nil && slices.ContainsFunc(c.Server.Risks, func(r sbom.Risk) bool { return r.Code == sbom.RiskDownload && r.Line > 0 }) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: found %d times, want once", name, n)
		}
	}
}

// What cannot be parsed, and pipes a fetched text into a shell, leaves it unknown.
func TestDownloadInBrokenScript(t *testing.T) {
	_, inv := launchesIn(t, map[string]string{"a.sh": "if curl https://get.example/x | sudo bash; then\n", "b.sh": "if curl https://get.example/x; then\n"})
	if len(inv.Inputs) != 1 || inv.Inputs[0].Path != "a.sh" || !inv.Inputs[0].Broken() {
		t.Errorf("inputs %+v", inv.Inputs)
	}
}
