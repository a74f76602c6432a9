package mcp

import (
	"path"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"

	"github.com/package-url/packageurl-go"
)

// The flags of `go run` ("go help build", "go help run"). Go takes one dash or
// two for each of them.
var goRunGrammar = options{
	value: set(`-C -exec -p -covermode -coverpkg -asmflags -buildmode -compiler -gccgoflags -gcflags -installsuffix
		-ldflags -mod -modfile -overlay -pgo -pkgdir -tags -toolexec`),
	boolean: set("-a -n -v -x -race -msan -asan -cover -work -linkshared -modcacherw -trimpath -json -buildvcs"),
}

// goAltering are those that run another program, or read other files than the
// module's.
var goAltering = set("-exec -toolexec -modfile -overlay -pkgdir -compiler")

// golang is `go run PACKAGE[@VERSION]`, and `go tool NAME` of the project.
func golang(s *scan, _ string, command word, args []word, _ int) []subject {
	switch {
	case len(args) > 1 && args[0].text == "tool":
		return named("go tool", []subject{local(args[1], "")})
	case len(args) == 0 || args[0].text != "run":
		return nil
	}
	const launcher = "go run"
	words := make([]word, len(args)-1)
	for i, a := range args[1:] {
		words[i] = a
		if rest, ok := strings.CutPrefix(a.text, "--"); ok && rest != "" && !strings.HasPrefix(rest, "-") {
			words[i].text = "-" + rest
		}
	}
	p := goRunGrammar.parse(words)
	for _, o := range p.options {
		if o.value != nil && slices.Contains(goAltering, o.name) {
			s.alter("the option "+o.name, o.value.at)
		}
	}
	for _, folder := range p.values("-C") {
		s.chdir(folder)
	}
	switch {
	case p.unclear != nil:
		s.composed(*p.unclear)
		out := []subject{ambiguous(*p.unclear)}
		for _, w := range p.rest[:min(len(p.rest), maxGuesses)] {
			if more := goPackage(w); more.component != nil && strings.Contains(w.text, "@") && !w.open {
				out = append(out, nested([]subject{more})...)
			}
		}
		return named(launcher, out)
	case len(p.rest) == 0:
		return named(launcher, []subject{unknown(command.at, "no package is named")})
	}
	target := p.rest[0]
	switch {
	case target.open:
		return named(launcher, []subject{ambiguous(target)})
	case strings.Contains(target.text, "@"):
		return named(launcher, []subject{goPackage(target)})
	case fileSpec.MatchString(target.text) || windowsDrive.MatchString(target.text) || strings.HasSuffix(target.text, ".go"),
		!strings.Contains(strings.Split(target.text, "/")[0], "."):
		return []subject{local(target, launcher)}
	default:
		return named(launcher, []subject{s.required(target)})
	}
}

var (
	goPath    = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z0-9.-]+(/[A-Za-z0-9_.~+-]+)*$`)
	goVersion = lazyregexp.New(`^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+incompatible)?$`)
	goQuery   = lazyregexp.New(`^([<>]=?)?v[0-9]+(\.[0-9]+){0,2}(-[0-9A-Za-z.-]+)?$`)
)

// goPackage reads PATH@VERSION. Versions are those of the module and its sums
// are those of the checksum database, so an exact one, a pseudo-version among
// them, is always the same code.
func goPackage(w word) subject {
	name, request, _ := strings.Cut(strings.TrimSpace(w.text), "@")
	switch {
	case isVariable(name) || template.MatchString(name):
		return unknown(w.at, "the package is named by a variable")
	case !goPath.MatchString(name) || strings.Contains(name, "..") || len(name) > maxNameLength:
		return unknown(w.at, "what stands for the package is no path of a Go package")
	case looksSecretPart(name):
		return unknown(w.at, "what stands for the package looks like a credential")
	}
	out := subject{at: w.at, launch: sbom.Launch{Kind: sbom.KindGo, Spec: name}}
	version := ""
	switch {
	case request == "":
		out.launch.Pin = sbom.PinUnversioned
	case goVersion.MatchString(request):
		out.launch.Pin, version = sbom.PinExact, request
	case request == "latest" || request == "upgrade" || request == "patch":
		out.launch.Pin = sbom.PinDistTag
	case template.MatchString(request) || isVariable(request) && request[0] != '<':
		out.launch.Pin = sbom.PinUnknown
	case goQuery.MatchString(request):
		out.launch.Pin = sbom.PinRange
	case commit.MatchString(strings.ToLower(request)):
		out.launch.Pin = sbom.PinGitCommit
	case gitRef.MatchString(request):
		out.launch.Pin = sbom.PinGitRef
	default:
		return unknown(w.at, "what stands for the version is none that Go allows")
	}
	if request != "" {
		if version == "" && out.launch.Pin != sbom.PinGitCommit {
			request = redact(request)
		}
		out.launch.Spec += "@" + request
		out.launch.Request = request
	}
	module, below := goModule(name)
	out.component = &sbom.Component{
		Type: sbom.Library, Ecosystem: sbom.Golang, Name: name, Version: version, Source: sbom.FromRegistry,
		PURL: goPURL(module, version, below),
	}
	return out
}

// goPURL writes a package in a module. The path of a module is lower-case there.
func goPURL(module, version, below string) string {
	module = strings.ToLower(module)
	return packageurl.NewPackageURL("golang", path.Dir(module), path.Base(module), version, nil, below).ToString()
}

var majorVersion = lazyregexp.New(`^v[0-9]+$`)

// goModule splits a package's path into module and folder. On the hosts where a
// repository is OWNER/NAME that is nearly always the module; elsewhere only Go
// itself can find out, and the whole path stands for it.
func goModule(name string) (module, below string) {
	parts := strings.Split(name, "/")
	switch parts[0] {
	case "github.com", "bitbucket.org", "codeberg.org":
	default:
		return name, ""
	}
	n := 3
	if len(parts) > 3 && majorVersion.MatchString(parts[3]) {
		n = 4
	}
	if len(parts) <= n {
		return name, ""
	}
	return strings.Join(parts[:n], "/"), strings.Join(parts[n:], "/")
}

var goRequire = lazyregexp.New(`(?m)^\s*(?:require\s+)?"?([A-Za-z0-9][^\s"]*\.[^\s"]*)"?\s+(v[0-9][^\s]*)`)

// required is a package without a version, which the project's go.mod pins.
func (s *scan) required(w word) subject {
	for _, folder := range upwards(s.folders()) {
		f := &sbom.File{FS: s.file.FS, Name: path.Join(folder, "x")}
		data, err := f.Sibling("go.mod")
		if err != nil {
			continue
		}
		if strings.Contains(string(data), "replace") {
			return unknown(w.at, "the project's go.mod replaces packages") // by others, or by folders
		}
		best, version := "", ""
		for _, m := range goRequire.FindAllStringSubmatch(string(data), -1) {
			if (w.text == m[1] || strings.HasPrefix(w.text, m[1]+"/")) && len(m[1]) > len(best) {
				best, version = m[1], m[2]
			}
		}
		if best == "" {
			return local(w, "") // the project's own, or an error
		}
		out := goPackage(word{text: w.text + "@" + version, at: w.at})
		if out.launch.Pin == sbom.PinExact {
			out.launch.Pin, out.launch.Spec = sbom.PinLockfile, redact(w.text)
			out.component.PURL = goPURL(best, version, strings.TrimPrefix(strings.TrimPrefix(w.text, best), "/"))
		}
		return out
	}
	out := local(w, "")
	out.launch.Pin = sbom.PinUnknown
	return out
}
