package mcp

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"

	"github.com/package-url/packageurl-go"
)

// The options of dnx and `dotnet tool exec` (learn.microsoft.com, "dotnet tool
// exec"). They are read up to a "--", also behind the package, where every other
// option is the tool's.
var (
	dnxGrammar = options{
		value:   set("--source --add-source --version --configfile --framework -a --arch -v --verbosity"),
		boolean: set("-y --yes --prerelease --interactive --allow-roll-forward --disable-parallel --ignore-failed-sources --no-http-cache"),
	}
	dnxBehind = options{value: dnxGrammar.value, boolean: dnxGrammar.boolean, loose: true, interspersed: true}
)

// colon is how the .NET command line writes a value to its option, too.
var colon = lazyregexp.New(`^(--?[A-Za-z-]+):(.*)$`)

func dnx(s *scan, p string, command word, args []word, _ int) []subject {
	return s.dotnetTool(p, command, args)
}

// dotnet is `dotnet tool exec`, `dotnet dnx`, `dotnet tool run`, and a file.
func dotnet(s *scan, p string, command word, args []word, depth int) []subject {
	texts := make([]string, min(len(args), 2))
	for i := range texts {
		texts[i] = args[i].text
	}
	switch {
	case len(texts) > 0 && texts[0] == "dnx":
		return s.dotnetTool("dotnet dnx", command, args[1:])
	case len(texts) > 1 && texts[0] == "tool" && (texts[1] == "exec" || texts[1] == "execute"):
		return s.dotnetTool("dotnet tool exec", command, args[2:])
	case len(texts) > 1 && texts[0] == "tool" && texts[1] == "run":
		return s.dotnetToolRun(command, args[2:])
	case len(texts) > 0 && texts[0] == "tool":
		return nil
	case len(texts) > 0 && oneOf("run watch", texts[0]):
		return []subject{dotnetRun(args[0], args[1:])}
	default:
		return interpret(s, p, command, args, depth)
	}
}

// dotnetRunGrammar holds the options of `dotnet run` (learn.microsoft.com, "dotnet
// run").
var dotnetRunGrammar = options{
	value: set(`--project --file -c --configuration -f --framework -r --runtime -a --arch --os -v --verbosity --launch-profile
		-lp -p --property -e --environment --artifacts-path`),
	boolean: set(`--no-build --no-restore --no-launch-profile --interactive --self-contained --sc --no-self-contained
		--force --no-dependencies --no-cache -q --quiet --no-hot-reload --non-interactive`),
}

// dotnetRun builds and runs a project, or a file.
func dotnetRun(sub word, args []word) subject {
	if len(args) > 0 && args[0].text == "run" {
		args = args[1:] // dotnet watch run
	}
	p := dotnetRunGrammar.parse(args)
	target := word{text: ".", at: sub.at}
	if named := p.values("--project", "--file"); len(named) > 0 {
		target = named[len(named)-1]
	} else if p.dashes < 0 && p.unclear == nil && len(p.rest) > 0 && strings.HasSuffix(p.rest[0].text, ".cs") {
		target = p.rest[0]
	}
	return local(target, "dotnet")
}

// dotnetTool runs a tool from a NuGet package.
func (s *scan) dotnetTool(launcher string, command word, args []word) []subject {
	words := make([]word, len(args))
	for i, a := range args {
		words[i] = a
		if a.text == "--" {
			copy(words[i:], args[i:])
			break
		}
		words[i].text = colon.ReplaceAllString(a.text, "$1=$2")
	}
	p := dnxGrammar.parse(words)
	switch {
	case p.unclear != nil:
		return s.unclearTool(launcher, p)
	case len(p.rest) == 0:
		return named(launcher, []subject{unknown(command.at, "no package is named")})
	}
	if p.dashes < 0 {
		p.options = append(p.options, dnxBehind.parse(p.rest[1:]).options...)
	}
	s.origin(p)
	spec := p.rest[0]
	if versions := p.values("--version"); len(versions) > 0 {
		if strings.Contains(spec.text, "@") {
			return named(launcher, []subject{unknown(spec.at, "the version is named twice")})
		}
		spec = word{text: spec.text + "@" + versions[len(versions)-1].text, at: spec.at}
	}
	out := nuget(spec)
	if out.launch.Pin == sbom.PinUnversioned {
		if version := s.localTool(func(name string, _ []string) bool { return strings.EqualFold(name, out.component.Name) }).version; version != "" {
			locked := nuget(word{text: out.component.Name + "@" + version, at: spec.at})
			if locked.launch.Pin == sbom.PinExact {
				locked.launch.Pin, locked.launch.Spec = sbom.PinLockfile, out.launch.Spec
				out = locked
			}
		}
	}
	return named(launcher, []subject{out})
}

// unclearTool names what may well be the package behind an option that nobody
// knows.
func (s *scan) unclearTool(launcher string, p parsed) []subject {
	s.composed(*p.unclear)
	out := []subject{ambiguous(*p.unclear)}
	for _, w := range p.rest[:min(len(p.rest), maxGuesses)] {
		if more := nuget(w); more.component != nil && !w.open {
			out = append(out, nested([]subject{more})...)
		}
	}
	return named(launcher, out)
}

// dotnetToolRun runs a command of the tools that the project has recorded.
func (s *scan) dotnetToolRun(command word, args []word) []subject {
	const launcher = "dotnet tool run"
	p := options{value: set("--tool-manifest"), boolean: set("--allow-roll-forward")}.parse(args)
	switch {
	case p.unclear != nil:
		return named(launcher, []subject{ambiguous(*p.unclear)})
	case len(p.rest) == 0:
		return named(launcher, []subject{unknown(command.at, "no tool is named")})
	}
	for _, file := range p.values("--tool-manifest") {
		s.alter("the option --tool-manifest", file.at)
	}
	name := p.rest[0]
	tool := s.localTool(func(_ string, commands []string) bool { return slices.Contains(commands, name.text) })
	if tool.version == "" {
		out := subject{at: name.at, launch: sbom.Launch{Kind: sbom.KindNuGet, Pin: sbom.PinUnknown, Spec: redact(name.text)}}
		return named(launcher, []subject{out})
	}
	out := nuget(word{text: tool.name + "@" + tool.version, at: name.at})
	if out.launch.Pin == sbom.PinExact {
		out.launch.Pin, out.launch.Spec = sbom.PinLockfile, redact(name.text)
	}
	return named(launcher, []subject{out})
}

type localTool struct{ name, version string }

// localTool looks into the manifests of tools from the folder of the launch
// upwards, as dotnet does. The nearest one that has the tool counts, and none
// above one that calls itself the root.
func (s *scan) localTool(wanted func(name string, commands []string) bool) localTool {
	for _, folder := range upwards(s.folders()) {
		for _, file := range []string{".config/dotnet-tools.json", "dotnet-tools.json"} {
			f := &sbom.File{FS: s.file.FS, Name: path.Join(folder, "x")}
			data, err := f.Sibling(file)
			if err != nil {
				continue
			}
			var manifest struct {
				IsRoot bool
				Tools  map[string]struct {
					Version  string
					Commands []string
				}
			}
			if json.Unmarshal(data, &manifest) != nil {
				return localTool{}
			}
			for name, tool := range manifest.Tools {
				if wanted(name, tool.Commands) {
					return localTool{name, tool.Version}
				}
			}
			if manifest.IsRoot {
				return localTool{}
			}
		}
	}
	return localTool{}
}

var (
	nugetName    = lazyregexp.New(`^[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*$`)
	nugetVersion = lazyregexp.New(`^[0-9]{1,9}(\.[0-9]{1,9}){0,3}(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z.-]+)?$`)
	nugetSingle  = lazyregexp.New(`^\[\s*([^,\[\]()]+?)\s*\]$`)
	nugetRange   = lazyregexp.New(`^[\[(][0-9A-Za-z.+*-]*\s*,\s*[0-9A-Za-z.+*-]*[\])]$|^[0-9.]*\*[0-9A-Za-z.*-]*$|^[0-9.]+-[0-9A-Za-z.-]*\*$`)
)

// nuget reads NAME or NAME@VERSION. A version alone is exactly that one, as for
// `dotnet tool install`; one in brackets may be a range (NuGet's package
// versioning).
func nuget(w word) subject {
	name, request, _ := strings.Cut(strings.TrimSpace(w.text), "@")
	switch {
	case name == "":
		return unknown(w.at, "no package is named")
	case isVariable(name) || template.MatchString(name):
		return unknown(w.at, "the package is named by a variable")
	case !nugetName.MatchString(name) || len(name) > 100:
		return unknown(w.at, "what stands for the package is no name that NuGet allows")
	case sbom.LooksSecret(name):
		return unknown(w.at, "what stands for the package looks like a credential")
	}
	out := subject{at: w.at, launch: sbom.Launch{Kind: sbom.KindNuGet, Spec: name}}
	version, shown := "", request
	if m := nugetSingle.FindStringSubmatch(request); m != nil {
		request = m[1]
	}
	switch {
	case request == "":
		out.launch.Pin = sbom.PinUnversioned
	case template.MatchString(request) || isVariable(request):
		out.launch.Pin, shown, request = sbom.PinUnknown, redact(shown), redact(request)
	case nugetVersion.MatchString(request):
		version, _, _ = strings.Cut(request, "+")
		out.launch.Pin, request = sbom.PinExact, version
	case nugetRange.MatchString(request):
		out.launch.Pin = sbom.PinRange
	default:
		return unknown(w.at, "what stands for the version is none that NuGet allows")
	}
	if shown != "" {
		out.launch.Spec += "@" + shown
	}
	out.launch.Request = request
	out.component = &sbom.Component{
		Type: sbom.Library, Ecosystem: sbom.NuGet, Name: name, Version: version, Source: sbom.FromRegistry,
		PURL: packageurl.NewPackageURL("nuget", "", name, version, nil, "").ToString(),
	}
	return out
}
