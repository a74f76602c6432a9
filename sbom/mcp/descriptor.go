package mcp

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"

	"github.com/package-url/packageurl-go"
)

// Descriptors say how a server is launched without being a client's configuration:
// bundles, registry entries, Docker's catalogue, Smithery's file, a package.json.

// described returns what analyses the form of the entry, nil for what a client
// wrote.
func (a *analyzed) described() func([]field, *scan) []subject {
	switch a.form {
	case bundleServer:
		return a.bundle
	case packageServer:
		return a.published
	case remoteServer:
		return a.publishedRemote
	case dockerServer:
		return a.docker
	case smitheryServer:
		return a.smithery
	case ownServer:
		return a.own
	default:
		return nil
	}
}

// field returns the text of a member, "" where it has none or is too long. Names
// with and without underscores are the same: the registry's first schema had them.
func (a *analyzed) field(fields []field, name string) (word, bool) {
	f := loosely(fields, name)
	if f == nil || !isText(f.value) || len(text(f.value)) > maxText {
		return word{}, false
	}
	return word{text: text(f.value), at: a.doc.at(f.value, name)}, true
}

func loosely(fields []field, name string) *field {
	for i := range fields {
		if strings.EqualFold(strings.ReplaceAll(fields[i].name, "_", ""), name) {
			return &fields[i]
		}
	}
	return nil
}

// inner returns the members of a member that is an object.
func (a *analyzed) inner(fields []field, name string) []field {
	f := loosely(fields, name)
	if f == nil || object(f.value) == nil {
		return nil
	}
	return a.doc.fields(object(f.value))
}

// objects returns the members of each object of a list.
func (a *analyzed) objects(fields []field, name string) [][]field {
	f := loosely(fields, name)
	if f == nil || array(f.value) == nil {
		return nil
	}
	var out [][]field
	for i := range array(f.value).Elements {
		if o := object(&array(f.value).Elements[i]); o != nil {
			out = append(out, a.doc.fields(o))
		}
	}
	return out
}

// bundle reads the manifest of an MCPB (or DXT) bundle. What it runs is inside of
// the bundle, dependencies included, unless its command says otherwise.
// https://github.com/anthropics/mcpb, MANIFEST.md
func (a *analyzed) bundle(fields []field, look *scan) []subject {
	a.server.Transport = "stdio"
	server := a.inner(fields, "server")
	if server == nil {
		a.misfit(a.value, "the manifest has no server")
		return nil
	}
	kind, _ := a.field(server, "type")
	entryPoint, _ := a.field(server, "entrypoint")
	name, _ := a.field(fields, "name")
	version, _ := a.field(fields, "version")
	at := a.doc.at(a.key, "")
	own := subject{at: at, launcher: "mcpb:" + safeName(kind.text), launch: sbom.Launch{Kind: sbom.KindMCPB, Pin: sbom.PinNA, Spec: redactPath(entryPoint.text)}}
	if kind.text == "" {
		own.launcher = "mcpb"
	}
	if name.text != "" && !sbom.LooksSecret(name.text) && len(name.text) <= maxName {
		shown := redact(version.text)
		own.component = &sbom.Component{
			Type: sbom.Application, Name: name.text, Version: shown, Source: sbom.FromFile,
			PURL: packageurl.NewPackageURL("generic", "", name.text, shown, nil, "").ToString(),
		}
	}
	config := a.inner(server, "mcpconfig")
	out := []subject{own}
	launches := [][]field{config}
	for _, f := range a.inner(config, "platformoverrides") {
		if o := object(f.value); o != nil {
			launches = append(launches, overridden(config, a.doc.fields(o)))
		}
	}
	for i, launch := range launches {
		if launch == nil {
			continue
		}
		a.flags(launch)
		words, ok := a.commandLine(launch)
		a.environment(launch, look)
		a.rest(launch, look)
		if !ok {
			continue
		}
		look.words(words)
		found := outsideOfBundle(look.settle(look.command(words, 0)))
		if i == 0 && len(found) > 0 {
			// It is no bundle but a launch of something else.
			out = slices.Concat(found, nested([]subject{own}))
			continue
		}
		out = append(out, nested(found)...)
	}
	return distinct(out)
}

// overridden are the members of a launch with those that a platform replaces.
func overridden(config, platform []field) []field {
	out := slices.Clone(platform)
	for _, f := range config {
		if member(out, f.name) == nil && f.name != "platform_overrides" {
			out = append(out, f)
		}
	}
	return out
}

// outsideOfBundle drops what can only be files of the bundle.
func outsideOfBundle(subjects []subject) []subject {
	return slices.DeleteFunc(subjects, func(s subject) bool {
		return s.launch.Kind == sbom.KindLocal || s.launch.Kind == sbom.KindBinary ||
			s.launch.Kind == sbom.KindNPM && s.launch.Pin == sbom.PinInstalled
	})
}

// distinct drops repeated subjects: most platforms start the same thing.
func distinct(subjects []subject) []subject {
	var out []subject
	for _, s := range subjects {
		if !slices.ContainsFunc(out, func(o subject) bool {
			return o.launch.Kind == s.launch.Kind && o.launch.Spec == s.launch.Spec && o.reason == s.reason
		}) {
			out = append(out, s)
		}
	}
	return out
}

// published reads server.json of the MCP registry, of every schema date: each
// package and each remote is a server of its own. The registry's own answers
// have it in "server".
// https://github.com/modelcontextprotocol/registry, docs/reference/server-json
func (d *document) published(c client, top []field) ([]entry, bool) {
	if f := member(top, "server"); f != nil && object(f.value) != nil && loosely(top, "packages") == nil {
		top = d.fields(object(f.value))
	}
	name := "server"
	if f := member(top, "name"); f != nil && isText(f.value) {
		name = text(f.value)
	}
	status := loosely(top, "status")
	deleted := status != nil && text(status.value) == "deleted"
	var out []entry
	complete := true
	for _, list := range []struct {
		name string
		form form
	}{{"packages", packageServer}, {"remotes", remoteServer}} {
		f := loosely(top, list.name)
		switch {
		case f == nil || isNull(f.value):
		case array(f.value) == nil:
			d.problem(sbom.Invalid, f.value, list.name+" is no list", "each element describes one way to run the server")
			complete = false
		default:
			for i := range array(f.value).Elements {
				e := &array(f.value).Elements[i]
				out = append(out, entry{doc: d, client: c.name, name: name, key: e, value: e, form: list.form, disabled: deleted})
			}
		}
	}
	return out, complete
}

func (d *document) isRegistry(top []field) bool {
	if f := member(top, "server"); f != nil && object(f.value) != nil && loosely(top, "packages") == nil {
		top = quietFields(object(f.value))
	}
	schema := member(top, "$schema")
	if schema != nil && strings.Contains(text(schema.value), "server.schema.json") {
		return true
	}
	for key, members := range map[string][]string{"packages": {"registrytype", "registryname", "identifier"}, "remotes": {"url"}} {
		f := loosely(top, key)
		if f == nil || array(f.value) == nil {
			continue
		}
		for i := range array(f.value).Elements {
			o := object(&array(f.value).Elements[i])
			if o != nil && slices.ContainsFunc(members, func(m string) bool { return loosely(quietFields(o), m) != nil }) {
				return true
			}
		}
	}
	return false
}

// hints are the programs that run the packages of a registry, where the
// descriptor names none.
var hints = map[string]string{"npm": "npx", "pypi": "uvx", "oci": "docker", "docker": "docker", "nuget": "dnx"}

// published reads one element of "packages".
func (a *analyzed) published(fields []field, look *scan) []subject {
	registry, _ := a.field(fields, "registrytype")
	if registry.text == "" {
		registry, _ = a.field(fields, "registryname")
	}
	identifier, ok := a.field(fields, "identifier")
	if !ok {
		identifier, _ = a.field(fields, "name") // before 2025-07-09
	}
	version, _ := a.field(fields, "version")
	digest, _ := a.field(fields, "filesha256")
	hint, _ := a.field(fields, "runtimehint")

	a.server.Transport = "stdio"
	transport := a.inner(fields, "transport")
	if kind, ok := a.field(transport, "type"); ok && transports[strings.ToLower(kind.text)] != "" {
		a.server.Transport = transports[strings.ToLower(kind.text)]
	}
	a.variables(fields, look)
	for _, list := range []string{"runtimearguments", "packagearguments"} {
		a.arguments(fields, list, look)
	}
	out := fromRegistry(strings.ToLower(registry.text), identifier, version.text, strings.ToLower(digest.text))
	if url, ok := a.field(fields, "registrybaseurl"); ok && urlSecret(url.text) {
		look.risk(sbom.RiskSecret, url.at)
	}
	out.launcher = safeName(cmp.Or(hint.text, hints[strings.ToLower(registry.text)]))
	return []subject{out}
}

// fromRegistry is a package that a registry's type and name say.
func fromRegistry(registry string, identifier word, version, digest string) subject {
	kinds := map[string]sbom.Kind{
		"npm": sbom.KindNPM, "pypi": sbom.KindPyPI, "oci": sbom.KindOCI, "docker": sbom.KindOCI, "docker-hub": sbom.KindOCI, "nuget": sbom.KindNuGet,
		"mcpb": sbom.KindMCPB, "cargo": sbom.KindCargo, "crates": sbom.KindCargo, "go": sbom.KindGo, "golang": sbom.KindGo,
	}
	kind, known := kinds[registry]
	if !known {
		return unknown(identifier.at, "packages of this registry are not known to this version")
	}
	id := strings.TrimSpace(identifier.text)
	version = strings.TrimSpace(version)
	var out subject
	switch kind {
	case sbom.KindNPM:
		out = npmRegistry(identifier, joined(id, "@", version))
	case sbom.KindPyPI:
		out = pypi(word{text: joined(id, "==", version), at: identifier.at})
	case sbom.KindOCI:
		if strings.Contains(id[strings.LastIndex(id, "/")+1:], ":") || strings.Contains(id, "@") {
			version = "" // since 2025-10-11 it stands in the identifier
		}
		separator := ":"
		if strings.HasPrefix(version, "sha256:") {
			separator = "@"
		}
		out = image(word{text: joined(id, separator, version), at: identifier.at})
	case sbom.KindMCPB:
		out = bundleDownload(identifier, version, digest)
	case sbom.KindNuGet:
		out = nuget(word{text: joined(id, "@", version), at: identifier.at})
	case sbom.KindGo:
		if exactVersion.MatchString(version) {
			version = "v" + strings.TrimPrefix(version, "v")
		}
		out = goPackage(word{text: joined(id, "@", version), at: identifier.at})
	default:
		out = crate(identifier, id, version)
	}
	if out.launch.Kind == sbom.KindUnknown {
		// The registry is known all the same, and a template is no reason to hide
		// that.
		out.launch.Kind, out.launch.Spec = kind, redact(joined(id, "@", version))
	}
	return out
}

func joined(name, separator, version string) string {
	if version == "" {
		return name
	}
	return name + separator + version
}

// bundleDownload is a bundle by the URL of its release, held by its digest.
func bundleDownload(at word, version, digest string) subject {
	url := redactURL(strings.TrimSpace(at.text))
	out := subject{at: at.at, launch: sbom.Launch{Kind: sbom.KindMCPB, Pin: sbom.PinUnversioned, Spec: url, Request: redact(version)}}
	c := urlComponent(url, sbom.FromTarball)
	c.Type, c.Version = sbom.Application, redact(version)
	qualifiers := map[string]string{"download_url": url}
	if raw, err := hex.DecodeString(digest); err == nil && len(raw) == 32 {
		out.launch.Pin = sbom.PinDigest
		c.Hashes = []sbom.Hash{{Algorithm: "sha256", Value: digest}}
		qualifiers["checksum"] = "sha256:" + digest
	}
	c.PURL = packageurl.NewPackageURL("generic", "", c.Name, c.Version, packageurl.QualifiersFromMap(qualifiers), "").ToString()
	out.component = c
	return out
}

var (
	crateName    = lazyregexp.New(`^[A-Za-z][A-Za-z0-9_-]*$`)
	exactVersion = lazyregexp.New(`^v?[0-9]+(\.[0-9]+){1,3}([-+][0-9A-Za-z.+-]+)?$`)
)

// crate is a package of crates.io by name and version.
func crate(at word, name, version string) subject {
	out := subject{at: at.at, launch: sbom.Launch{Kind: sbom.KindCargo, Spec: redact(joined(name, "@", version)), Request: redact(version)}}
	if !crateName.MatchString(name) || len(name) > maxNameLength || sbom.LooksSecret(name) {
		return unknown(at.at, "what stands for the package is no name of one")
	}
	switch {
	case version == "":
		out.launch.Pin = sbom.PinUnversioned
	case exactVersion.MatchString(version):
		out.launch.Pin, out.launch.Spec, out.launch.Request = sbom.PinExact, joined(name, "@", version), version
	case template.MatchString(version) || isVariable(version):
		out.launch.Pin = sbom.PinUnknown
		version = ""
	case version == "latest":
		out.launch.Pin = sbom.PinDistTag
		version = ""
	default:
		out.launch.Pin = sbom.PinRange
		version = ""
	}
	out.component = &sbom.Component{
		Type: sbom.Library, Ecosystem: sbom.Cargo, Name: name, Version: version, Source: sbom.FromRegistry,
		PURL: packageurl.NewPackageURL("cargo", "", name, version, nil, "").ToString(),
	}
	return out
}

// variables reads lists of names with values: environment variables, and headers.
func (a *analyzed) variables(fields []field, look *scan) {
	for _, v := range a.objects(fields, "environmentvariables") {
		name, ok := a.field(v, "name")
		if !ok {
			continue
		}
		value, _ := a.field(v, "value")
		standard, _ := a.field(v, "default")
		look.variable(name.text, cmp.Or(value.text, standard.text), place{line: name.at.line, column: name.at.column})
	}
	for _, v := range slices.Concat(a.objects(fields, "headers"), a.objects(a.inner(fields, "transport"), "headers")) {
		name, _ := a.field(v, "name")
		value, _ := a.field(v, "value")
		if headerSecret(name.text, value.text) {
			look.risk(sbom.RiskSecret, place{where: fmt.Sprintf("header %q", safeName(name.text)), line: value.at.line, column: value.at.column})
		}
	}
}

// arguments looks for what is dangerous in the arguments of a descriptor.
func (a *analyzed) arguments(fields []field, list string, look *scan) {
	var words []word
	for _, v := range a.objects(fields, list) {
		if name, ok := a.field(v, "name"); ok {
			words = append(words, name)
		}
		value, ok := a.field(v, "value")
		if !ok {
			value, ok = a.field(v, "default")
		}
		if ok {
			words = append(words, value)
		}
	}
	look.words(words)
}

// publishedRemote reads one element of "remotes".
func (a *analyzed) publishedRemote(fields []field, look *scan) []subject {
	url, ok := a.field(fields, "url")
	if !ok {
		a.misfit(a.value, "the remote has no URL")
		return nil
	}
	kind, _ := a.field(fields, "type")
	if kind.text == "" {
		kind, _ = a.field(fields, "transporttype")
	}
	a.server.Transport = cmp.Or(transports[strings.ToLower(kind.text)], transportOf(url.text))
	a.variables(fields, look)
	return []subject{look.remote(url)}
}

// dockerGateway is what starts the servers of Docker's catalogue.
const dockerGateway = "docker-mcp-gateway"

// docker reads a server of Docker's catalogue: an image, a remote, or images that
// each are one tool ("poci").
func (a *analyzed) docker(fields []field, look *scan) []subject {
	for _, list := range [][][]field{a.objects(fields, "secrets"), a.objects(a.inner(fields, "config"), "secrets"), a.objects(fields, "env"), a.objects(a.inner(fields, "config"), "env")} {
		for _, v := range list {
			name, ok := a.field(v, "env")
			if !ok {
				name, ok = a.field(v, "name")
			}
			if ok {
				value, _ := a.field(v, "value")
				look.variable(name.text, value.text, place{line: name.at.line, column: name.at.column})
			}
		}
	}
	run := a.inner(fields, "run")
	for _, f := range []*field{loosely(fields, "command"), loosely(run, "command")} {
		if f != nil && array(f.value) != nil {
			look.words(a.list(f.value, "args", nil))
		}
	}
	a.search(field{name: "docker", key: a.key, value: a.value}, look)

	var out []subject
	if remote := a.inner(fields, "remote"); remote != nil {
		url, ok := a.field(remote, "url")
		if ok {
			kind, _ := a.field(remote, "transporttype")
			a.server.Transport = cmp.Or(transports[strings.ToLower(kind.text)], transportOf(url.text))
			a.headers(remote, look)
			out = append(out, look.remote(url))
		}
	}
	if id, ok := a.field(fields, "image"); ok {
		a.server.Transport = cmp.Or(a.server.Transport, "stdio")
		out = append(out, named(dockerGateway, []subject{image(id)})...)
	}
	for _, tool := range a.objects(fields, "tools") {
		if id, ok := a.field(a.inner(tool, "container"), "image"); ok && len(out) < maxSubjects {
			out = append(out, named(dockerGateway, []subject{image(id)})...)
		}
	}
	for i := 1; i < len(out); i++ {
		out[i].launch.Nested = true
	}
	if len(out) == 0 {
		return []subject{unknown(a.doc.at(a.key, ""), "the entry has neither an image nor a URL")}
	}
	return out
}

// enabled reads Docker's registry.yaml, which names servers of the catalogues
// beside it.
func (d *document) enabled(c client, top []field) ([]entry, bool) {
	entries, complete := d.keyed(c, top)
	known := map[string]entry{}
	data, err := d.file.Sibling("catalogs/docker-mcp.yaml")
	if err == nil {
		catalog, _ := parse(yamlNotation, data)
		if catalog != nil && object(&catalog.root) != nil {
			other := *d.file
			other.Path, other.Name = join(d.file.Path, "mcp/catalogs/docker-mcp.yaml"), join(d.file.Name, "mcp/catalogs/docker-mcp.yaml")
			catalog.file = &other
			found, _ := catalog.keyed(client{name: c.name, keys: c.keys, settings: true}, quietFields(object(&catalog.root)))
			for _, e := range found {
				e.form = dockerServer
				known[e.name] = e
			}
		}
	}
	for i, e := range entries {
		found, ok := known[e.name]
		if !ok {
			entries[i].form = missingServer
			continue
		}
		entries[i] = found
	}
	return entries, complete
}

// join resolves a path against the folder above that of a file.
func join(file, rel string) string { return path.Join(path.Dir(path.Dir(file)), rel) }

var (
	literalCommand = lazyregexp.New("command['\"]?\\s*:\\s*['\"`]([^'\"`$\\\\]+)['\"`]")
	literalArgs    = lazyregexp.New("args['\"]?\\s*:\\s*\\[((?:\\s*(?:'[^'\\\\]*'|\"[^\"\\\\]*\"|[A-Za-z_$][A-Za-z0-9_$.]*)\\s*,?)*)\\s*\\]")
	argument       = lazyregexp.New(`'([^'\\]*)'|"([^"\\]*)"|([A-Za-z_$][A-Za-z0-9_$.]*)`)
	templateText   = lazyregexp.New("`(?:[^`\\\\]|\\\\.)*`")
)

// smithery reads smithery.yaml. The command is made by JavaScript, which is never
// evaluated: only plain literals are read, everything else is not known.
func (a *analyzed) smithery(fields []field, look *scan) []subject {
	start := a.inner(fields, "startcommand")
	kind, _ := a.field(start, "type")
	a.server.Transport = cmp.Or(transports[strings.ToLower(kind.text)], "stdio")
	function, ok := a.field(start, "commandfunction")
	if !ok {
		at := a.doc.at(a.key, "")
		return []subject{{at: at, launcher: "smithery", launch: sbom.Launch{Kind: sbom.KindLocal, Pin: sbom.PinNA, Spec: "."}}}
	}
	// What is put together when it runs is one variable word, whatever is in it.
	body := templateText.ReplaceAllString(function.text, "'$$text'")
	command, args := literalCommand.FindAllStringSubmatch(body, 2), literalArgs.FindAllStringSubmatch(body, 2)
	dynamic := named("smithery", []subject{unknown(function.at, "the command is made by JavaScript, which is not evaluated")})
	if len(command) != 1 {
		return dynamic
	}
	words := []word{{text: command[0][1], at: function.at}}
	if len(args) == 1 {
		for _, m := range argument.FindAllStringSubmatch(args[0][1], maxArgs) {
			w := word{text: m[1] + m[2], at: function.at}
			if m[3] != "" {
				w.text = "${" + m[3] + "}"
			}
			words = append(words, w)
		}
	}
	look.words(words)
	if len(args) != 1 || !plainFunction.MatchString(body) {
		// What it names is judged, but nobody knows whether that is all.
		return append(dynamic, nested(worthNaming(look.command(words, 0)))...)
	}
	return look.settle(look.command(words, 0))
}

// plainFunction is a function that does nothing but return one object.
var plainFunction = lazyregexp.New(`^\s*(//[^\n]*\n\s*)*\(?\s*[A-Za-z_]*\s*\)?\s*=>\s*(\(|\{\s*return)?\s*\{[^{}?+` + "`" + `]*(env['"]?\s*:\s*\{[^{}` + "`" + `]*\}[^{}]*)?\}\s*;?\s*[)}]?\s*;?\s*$`)

// own is the package of the project itself, which says with "mcpName" that it is
// a server. What it runs is the project's own code.
func (a *analyzed) own(_ []field, _ *scan) []subject {
	a.server.Transport = "stdio"
	return []subject{{at: a.doc.at(a.key, ""), launch: sbom.Launch{Kind: sbom.KindLocal, Pin: sbom.PinNA, Spec: "."}}}
}
