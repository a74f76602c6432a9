package node

import (
	"bytes"
	"maps"
	"testing"

	"countermark/sbom"
)

// FuzzInstalled feeds the package.json of an installed package, the data of
// Plug'n'Play and where a link leads. Nothing panics, two runs say the same, what is
// broken is never called complete, and the document can be written.
func FuzzInstalled(f *testing.F) {
	f.Add(`{"name":"a","version":"1.0.0","dependencies":{"b":"1"},"bundleDependencies":["b"]}`, `{"packageRegistryData":[[null,[[null,{"packageLocation":"./","packageDependencies":[["a","npm:1.0.0"]]}]]]]}`, "../packages/m")
	f.Add(`{"name":"@s/a","version":"v1.0.0","bundledDependencies":true,"peerDependenciesMeta":{"x":{"optional":true}},"scripts":{"install":"x"}}`, `{"packageRegistryData":[["a",[["virtual:0#patch:a@npm%3A1.0.0#x::version=1.0.0",{"packageLocation":"../x.zip/a/","packageDependencies":[["b",["c","npm:1.0.0"]],["d",null]]}]]]]}`, "a/..")
	f.Add(`{`, `[`, "/")
	f.Add(`{"name":"b","version":"1.0.0","repository":{"url":"https://hunter2@host.example/"},"license":"https://hunter2@host.example/"}`, ``, "b")
	f.Fuzz(func(t *testing.T, installed, data, target string) {
		files := map[string]string{
			"package.json":                               `{"name":"app","version":"1.0.0","workspaces":["packages/*"],"dependencies":{"a":"1","b":"1"}}`,
			"packages/m/package.json":                    `{"name":"m","version":"1.0.0"}`,
			"node_modules/a/package.json":                installed,
			"node_modules/b":                             "-> " + target,
			"node_modules/a/node_modules/b/package.json": `{"name":"b","version":"1.0.0"}`,
		}
		if data != "" {
			files["pnp/.pnp.data.json"], files["pnp/package.json"] = data, installed
		}
		inv := scanInstalled(t, disk(maps.Clone(files)))
		text := dump(t, inv)
		if dump(t, scanInstalled(t, disk(files))) != text {
			t.Error("two runs differ")
		}
		if marked.MatchString(text) {
			t.Errorf("a password comes out: %s", text)
		}
		if parseJSON([]byte(installed)).err != nil && !inv.Incomplete() {
			t.Error("a broken package.json is called complete")
		}
		var buf bytes.Buffer
		if err := sbom.WriteCycloneDX(&buf, inv, sbom.Document{}); err != nil {
			t.Error(err)
		}
	})
}
