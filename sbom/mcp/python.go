package mcp

import (
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"

	"github.com/package-url/packageurl-go"
)

// The options of uv, those of `uv run` alone apart (uv's command reference).
const (
	uvValue = `--from --with -w --with-editable --with-requirements -p --python --index --index-url -i
		--extra-index-url --default-index -f --find-links --directory --project --cache-dir --config-file
		--env-file -P --upgrade-package --refresh-package --reinstall-package --exclude-newer
		--exclude-newer-package -c --constraints --constraint -b --build-constraints --overrides --override
		--resolution --prerelease --link-mode --color --index-strategy --keyring-provider --fork-strategy
		--python-platform --python-preference --config-setting -C --config-settings-package
		--no-build-isolation-package --no-build-package --no-binary-package --allow-insecure-host
		--trusted-host --torch-backend --python-fetch --no-sources-package`
	uvBoolean = `--isolated --no-cache -n --no-cache-dir --offline -q --quiet -qq -v --verbose -vv --refresh -U
		--upgrade --reinstall --force-reinstall --native-tls --no-native-tls --system-certs --no-config --no-index
		--no-progress --managed-python --no-managed-python --no-python-downloads --no-env-file --no-build
		--no-binary --no-sources --strict --compile-bytecode --compile --no-compile-bytecode --pre
		--show-resolution --no-build-isolation --lfs --preview --no-preview --allow-python-downloads`
	uvRunValue   = `--extra --group --no-group --only-group --no-extra --package --gui-script-name`
	uvRunBoolean = `--all-extras --no-dev --dev --only-dev --all-groups --no-default-groups --no-editable
		--inexact --exact --active --no-active --locked --frozen --no-sync --no-project --all-packages --script -s --gui-script
		--no-lock`
)

func uvx(s *scan, _ string, command word, args []word, depth int) []subject {
	return s.uvTool("uvx", command, args, depth)
}

func uv(s *scan, _ string, command word, args []word, depth int) []subject {
	before := options{value: set(uvValue), boolean: set(uvBoolean)}.parse(args)
	if before.unclear != nil {
		return named("uv", []subject{ambiguous(*before.unclear)})
	}
	if len(before.rest) == 0 {
		return nil
	}
	s.uvOrigin(before)
	sub, rest := before.rest[0].text, before.rest[1:]
	switch {
	case sub == "tool" && len(rest) > 0 && rest[0].text == "run":
		return s.uvTool("uv tool run", command, rest[1:], depth)
	case sub == "run":
		return s.uvRun(command, rest, depth)
	default:
		return nil
	}
}

// uvTool runs a tool from a package: that of --from, else the tool is the name
// of the package.
func (s *scan) uvTool(launcher string, command word, args []word, depth int) []subject {
	p := options{value: set(uvValue), boolean: set(uvBoolean)}.parse(args)
	if out := s.nameless(launcher, command, p); out != nil {
		return out
	}
	s.uvOrigin(p)
	spec, rest := p.rest[0], p.rest[1:]
	if from := p.values("--from"); len(from) > 0 {
		spec = from[len(from)-1]
	} else if _, ok := interpreters[interpreter(spec.text)]; ok && interpreter(spec.text) == "python" {
		return named(launcher, s.command(p.rest, depth+1)) // uv provides the interpreter itself
	}
	out := named(launcher, []subject{pypi(spec)})
	name := spec.text
	if c := out[0].component; c != nil {
		name = c.Name
	}
	out = append(out, s.with(launcher, p)...)
	return append(out, nested(s.carried(name, rest, depth))...)
}

// uvOrigin is origin with what only uv and pipx have.
func (s *scan) uvOrigin(p parsed) {
	s.origin(p)
	for _, python := range p.values("--python", "-p") {
		if !pythonVersion.MatchString(python.text) && !systemPath(python.text) {
			s.alter("the option --python", python.at)
		}
	}
	for _, file := range p.values("--env-file") {
		s.envFile(file)
	}
	for _, folder := range p.values("--directory") {
		s.chdir(folder)
	}
}

// with is the further packages that uv puts into the same environment.
func (s *scan) with(launcher string, p parsed) []subject {
	var out []subject
	for _, list := range p.values("--with", "-w") {
		for spec := range strings.SplitSeq(list.text, ",") {
			more := pypi(word{text: strings.TrimSpace(spec), at: list.at})
			if more.launch.Kind == sbom.KindLocal {
				s.alter("the option --with", list.at)
			}
			out = append(out, named(launcher, []subject{more})...)
		}
	}
	for _, folder := range p.values("--with-editable") {
		out = append(out, local(folder, launcher))
	}
	return out
}

// uvRun runs a command in the environment of the project.
func (s *scan) uvRun(command word, args []word, depth int) []subject {
	const launcher = "uv run"
	p := options{
		value:   append(set(uvValue), append(set(uvRunValue), "-m", "--module")...),
		boolean: append(set(uvBoolean), set(uvRunBoolean)...),
	}.parse(args)
	if p.unclear != nil {
		s.composed(*p.unclear)
		return named(launcher, []subject{ambiguous(*p.unclear)})
	}
	s.uvOrigin(p)
	more := s.with(launcher, p)
	if modules := p.values("-m", "--module"); len(modules) > 0 {
		out := local(modules[0], launcher)
		out.launch.Pin = sbom.PinUnknown
		return append([]subject{out}, more...)
	}
	if len(p.rest) == 0 {
		return append(named(launcher, []subject{unknown(command.at, "no command is named")}), more...)
	}
	if strings.Contains(p.rest[0].text, "://") {
		return append(named(launcher, []subject{unknown(p.rest[0].at, "it runs code from a URL")}), more...)
	}
	if i := provider(more, p.rest); i >= 0 {
		first := more[i]
		more = slices.Delete(more, i, i+1)
		return slices.Concat([]subject{first}, more, nested(s.carried(first.component.Name, p.rest[1:], depth)))
	}
	return append(inEnvironment(s.command(p.rest, depth+1), launcher), more...)
}

// provider is the index of the package that has the name of the program which is
// run, -1 where there is none, or where the program only runs a file in turn.
func provider(packages []subject, command []word) int {
	name := command[0].text
	if len(command) > 1 && slices.Contains(proxies[name].sub, command[1].text) {
		return -1
	}
	return slices.IndexFunc(packages, func(o subject) bool {
		return o.component != nil && strings.EqualFold(foldPyPI(o.component.Name), foldPyPI(name))
	})
}

// foldPyPI is the form in which PEP 503 compares names.
func foldPyPI(name string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(name) }

// nameless is the launch where the command line names no package, or where one
// cannot tell which; nil where it names one.
func (s *scan) nameless(launcher string, command word, p parsed) []subject {
	switch {
	case p.unclear != nil:
		s.composed(*p.unclear)
		return named(launcher, append([]subject{ambiguous(*p.unclear)}, guessed(p)...))
	case len(p.rest) == 0:
		return named(launcher, []subject{unknown(command.at, "no package is named")})
	default:
		return nil
	}
}

// guessed are the packages that a command line with an unknown option may name:
// what --from says, else one of the words behind it.
func guessed(p parsed) []subject {
	words := p.values("--from", "--spec")
	if len(words) == 0 {
		p.behind = p.rest
		words = p.guesses()
		words = words[:min(len(words), 2)]
	}
	var out []subject
	for _, w := range words {
		if more := pypi(w); more.component != nil && !w.open && !strings.HasPrefix(w.text, "-") {
			out = append(out, nested([]subject{more})...)
		}
	}
	return out
}

func pipx(s *scan, _ string, command word, args []word, depth int) []subject {
	for len(args) > 0 && oneOf("-v --verbose -q --quiet --global", args[0].text) {
		args = args[1:]
	}
	if len(args) == 0 || args[0].text != "run" {
		return nil
	}
	const launcher = "pipx run"
	p := options{
		value:   set("--spec --pip-args --python --index-url -i --with"),
		boolean: set("--no-cache --path --pypackages --verbose -v --quiet -q --system-site-packages --fetch-missing-python"),
	}.parse(args[1:])
	if p.has("--pypackages", "--path") && len(p.rest) > 0 {
		return named(launcher, []subject{local(p.rest[0], "")})
	}
	if out := s.nameless(launcher, command, p); out != nil {
		return out
	}
	s.uvOrigin(p)
	spec := p.rest[0]
	if given := p.values("--spec"); len(given) > 0 {
		spec = given[len(given)-1]
	} else if strings.Contains(spec.text, "://") && !isGit(spec.text) {
		return named(launcher, []subject{unknown(spec.at, "it runs code from a URL")})
	}
	out := append(named(launcher, []subject{pypi(spec)}), s.with(launcher, p)...)
	return append(out, nested(s.carried(p.rest[0].text, p.rest[1:], depth))...)
}

var (
	// requirement is PEP 508's name, extras and version part, or uv's name@version.
	requirement = lazyregexp.New(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[A-Za-z0-9._,\s-]*\])?\s*(.*)$`)
	pyVersion   = lazyregexp.New(`^v?([0-9]+!)?[0-9]+(\.[0-9]+)*([-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?[0-9]*)?((-[0-9]+)|[-_.]?(post|rev|r)[-_.]?[0-9]*)?([-_.]?dev[-_.]?[0-9]*)?(\+[a-z0-9]+([-_.][a-z0-9]+)*)?$`)
	pyRange     = lazyregexp.New(`^\(?\s*(===|==|~=|!=|<=|>=|<|>)`)
	pySafe      = lazyregexp.New(`^[A-Za-z0-9.*+!<>=~,\s()_-]*$`)
)

// normalizePyPI is the form of a name in package URLs (purl-types, pypi), which
// keeps dots; comparisons of names fold them as PEP 503 does.
func normalizePyPI(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "-")) }

// redactExtras shows the extras of a requirement, [a,b], but for what looks like a
// credential.
func redactExtras(extras string) string {
	names := strings.Split(strings.Trim(extras, "[]"), ",")
	for i, name := range names {
		names[i] = safeName(name)
	}
	if extras == "" {
		return ""
	}
	return "[" + strings.Join(names, ",") + "]"
}

// pypi reads a requirement: name, name==1.2, name@1.2, name[extra]>=1, git+URL.
func pypi(w word) subject {
	spec := strings.TrimSpace(w.text)
	switch {
	case isGit(spec):
		return pipGit(w, spec)
	case strings.HasPrefix(spec, "https://") || strings.HasPrefix(spec, "http://"):
		out := tarball(w, spec)
		out.launch.Kind = sbom.KindPyPI
		return out
	case fileSpec.MatchString(spec) || windowsDrive.MatchString(spec) || strings.HasSuffix(spec, ".whl"):
		return local(word{text: spec, at: w.at}, "")
	case spec == "":
		return unknown(w.at, "no package is named")
	case isVariable(spec):
		return unknown(w.at, "the package is named by a variable")
	}
	m := requirement.FindStringSubmatch(spec)
	if len(m) == 0 || len(m[1]) > maxNameLength {
		return unknown(w.at, "what stands for the package is no name that PyPI allows")
	}
	if sbom.LooksSecret(m[1]) {
		return unknown(w.at, "what stands for the package looks like a credential")
	}
	name, extras := m[1], redactExtras(strings.Join(strings.Fields(m[2]), ""))
	rest, _, _ := strings.Cut(m[3], ";") // the environment marker
	rest = strings.TrimSpace(rest)
	if url, ok := strings.CutPrefix(rest, "@"); ok {
		url = strings.TrimSpace(url)
		switch {
		case isGit(url):
			return pipGit(w, url)
		case strings.Contains(url, "://"):
			out := tarball(w, url)
			out.launch.Kind = sbom.KindPyPI
			return out
		}
	}
	out := subject{at: w.at, launch: sbom.Launch{Kind: sbom.KindPyPI}}
	version, request, pin := pyRequest(rest)
	if pin == "" {
		return unknown(w.at, "what stands for the version is none that PyPI allows")
	}
	out.launch.Pin, out.launch.Request = pin, redact(request)
	out.launch.Spec = name + extras
	if rest != "" {
		shown := rest
		if pin != sbom.PinExact && (pin != sbom.PinRange || slices.ContainsFunc(strings.FieldsFunc(rest, isRangeSign), sbom.LooksSecret)) {
			shown = redact(rest)
		}
		out.launch.Spec += shown
	}
	normal := normalizePyPI(name)
	out.component = &sbom.Component{
		Type: sbom.Library, Ecosystem: sbom.PyPI, Name: normal, Version: version, Source: sbom.FromRegistry,
		PURL: packageurl.NewPackageURL("pypi", "", normal, version, nil, "").ToString(),
	}
	return out
}

func isRangeSign(r rune) bool { return strings.ContainsRune("=<>~!, ", r) }

// pyRequest reads what follows the name. The pin is empty where it is nothing
// that uv accepts.
func pyRequest(rest string) (version, request string, pin sbom.Pin) {
	if at, ok := strings.CutPrefix(rest, "@"); ok {
		at = strings.TrimSpace(at)
		switch {
		case at == "latest":
			return "", at, sbom.PinDistTag
		case template.MatchString(at):
			return "", at, sbom.PinUnknown
		case pyVersion.MatchString(strings.ToLower(at)):
			v := strings.TrimPrefix(strings.ToLower(at), "v")
			return v, v, sbom.PinExact
		default:
			return "", "", ""
		}
	}
	switch {
	case rest == "":
		return "", "", sbom.PinUnversioned
	case template.MatchString(rest) && !pyRange.MatchString(rest), strings.Contains(rest, "${"):
		return "", rest, sbom.PinUnknown
	case !pyRange.MatchString(rest) || !pySafe.MatchString(rest):
		return "", "", ""
	}
	equal := strings.TrimSpace(strings.TrimLeft(rest, "="))
	if strings.HasPrefix(rest, "==") && pyVersion.MatchString(strings.ToLower(equal)) {
		v := strings.TrimPrefix(strings.ToLower(equal), "v")
		return v, v, sbom.PinExact
	}
	return "", strings.Join(strings.Fields(rest), ""), sbom.PinRange
}
