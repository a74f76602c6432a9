package mcp

import (
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"unicode"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"

	"deps.dev/util/semver"
	"github.com/package-url/packageurl-go"
)

// Where a launch runs, and what stands there already, decides what a name means:
// npx prefers what the project has under that name to what a registry has.

const homeFolder = `(/(home|users)/[^/]+|/root|~|\$\{?(home|userhome|userprofile)\}?|\{env:(home|userprofile)\}|[a-z]:/users/[^/]+|%userprofile%)`

// hiddenFolders are those of a home that hold programs.
const hiddenFolders = `\.(nvm|local|npm|npm-global|npm-packages|volta|asdf|mise|bun|deno|cargo|rustup|pyenv|rbenv|nodenv|fnm|nodebrew|` +
	`n|pnpm|pnpm-global|proto|sdkman|rye|uv|pipx|pixi|conda|nix-profile|docker|rd|orbstack|linuxbrew|dotnet|config/(nvm|yarn|herd-lite)|yarn|` +
	`rvm|phpenv|goenv|jenv|swiftly|ghcup|juliaup|micromamba)`

var (
	// systemFolders are where programs get installed: nobody checks a repository
	// out there. Of /usr, /opt and a home those are only the usual names, since
	// the rest is as good a place for a checkout as any. "/path/to" is what somebody
	// has yet to fill in.
	systemFolders = lazyregexp.New(`(?i)^(` +
		`/(bin|sbin|snap|nix|system|library|applications|etc/profiles|run/current-system)|` +
		`/usr/(local/)?(s?bin|lib(32|64|exec)?|share)|/usr/local/(opt|cellar|caskroom|nvm|n|go/bin|node[^/]*/bin)|` +
		`/((full|absolute|abs)/)?path/to|/data/data/com\.termux/files/usr|/opt/(homebrew|local|bin|nvm|hostedtoolcache|podman|((ana|mini)?conda3?|miniforge3|mambaforge|node(js)?[0-9v.-]*|python[0-9.]*|uv|pipx)/bin)|` +
		homeFolder + `/(` + hiddenFolders + `|library|bin|go/bin|n/bin|node(js)?/bin|nvm|anaconda3|miniconda3|miniforge3|mambaforge|appdata|scoop)|` +
		`([a-z]:|(/mnt)?/[a-z])/(program files( \(x86\))?|progra~[12]|programdata|windows|nvm4w|nvm|nodejs|python[0-9]*)|` +
		`%(appdata|localappdata|programfiles|programfiles\(x86\)|programdata|systemroot|windir|nvm_home|nvm_symlink)%|` +
		`\$\{?(appdata|localappdata|nvm_bin|nvm_dir|pnpm_home|bun_install|volta_home|cargo_home|homebrew_prefix)\}?` +
		`)(/|$)`)
	// homeFile is a hidden file in a home, such as ~/.bashrc.
	homeFile = lazyregexp.New(`(?i)^` + homeFolder + `/\.[^/]*[^/.]$`)
	home     = lazyregexp.New(`(?i)^` + homeFolder + `/?$`)
)

// systemPath reports whether a path leads to where programs get installed. One
// that turns back on its way, or stands on another machine, does not.
func systemPath(p string) bool {
	p = slashed(p)
	return !slices.Contains(strings.Split(p, "/"), "..") && systemFolders.MatchString(p)
}

// outside reports whether a path can only lead out of the tree.
func outside(p string) bool {
	p = slashed(strings.TrimSpace(p))
	absolute := path.IsAbs(p) && !strings.HasPrefix(p, "//") || strings.HasPrefix(p, "~/") || windowsDrive.MatchString(p) || systemPath(p)
	return absolute && !slices.Contains(strings.Split(p, "/"), "..") && !strings.HasPrefix(path.Clean(p)+"/", "/proc/")
}

// slashed writes a path with slashes, and its variables without VS Code's "env:".
func slashed(p string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.Trim(p, `"`), `\`, "/"), "${env:", "${")
}

// projectFolder matches the variables that stand for the folder in which a
// client starts its servers anyway.
var projectFolder = lazyregexp.New(`^\$\{?(workspaceFolder|workspaceRoot|PWD|CLAUDE_PROJECT_DIR|CLAUDE_PLUGIN_ROOT)\}?(/|$)`)

// homeVariable is what stands for a home, which is another machine's business.
var homeVariable = lazyregexp.New(`(?i)^(~|\$\{?(home|userhome|userprofile)\}?|\{env:(home|userprofile)\}|%userprofile%)(/|$)`)

// chdir notes that the launch runs in another folder. Only one inside of the
// tree can be looked into: what an absolute path leads to is another machine's
// business, and npx there is judged by its name as everywhere. A folder that
// only a variable or a shell names may be one of the tree all the same.
func (s *scan) chdir(w word) {
	folder := slashed(strings.TrimSpace(w.text))
	inProject := projectFolder.FindString(folder)
	if inProject != "" && (s.folder == "" || !strings.Contains(inProject, "PWD")) {
		folder, s.folder = strings.TrimLeft(strings.TrimPrefix(folder, inProject), "/"), ""
	}
	atHome := homeVariable.FindString(folder)
	below := folder[len(atHome):]
	clean := path.Clean(folder)
	// A shell may make other words of a variable, but not of these.
	guessed := w.open && (inProject+atHome == "" || strings.ContainsAny(below, "*?[{"))
	switch {
	case guessed || template.MatchString(below) || isVariable(below) || strings.HasPrefix(below, "~") || strings.HasPrefix(below, "-"),
		strings.HasPrefix(clean+"/", "/proc/"):
		s.alter("a folder that cannot be told", w.at)
		s.away = true
	case atHome != "" || path.IsAbs(folder) || windowsDrive.MatchString(folder):
		s.away = true
	default:
		s.folder = path.Join(s.folder, folder)
	}
}

// folders are those of the tree in which the launch may run, the likeliest
// first: nothing says from which one a client starts its servers.
func (s *scan) folders() []string {
	if s.file == nil || s.file.FS == nil || s.away {
		return nil
	}
	if s.asked == nil || s.askedFor != s.folder {
		s.asked, s.askedFor = foldersOf(s.file.Name, s.folder), s.folder
	}
	return s.asked
}

// foldersOf is folders for a configuration and the folder that its launch names.
func foldersOf(name, below string) []string {
	var out []string
	for _, base := range bases(name) {
		folder := path.Join(path.Dir(name), base, below)
		if fs.ValidPath(folder) && !slices.Contains(out, folder) {
			out = append(out, folder)
		}
	}
	return out
}

// upwards adds the folders above, where npm and node go on looking.
func upwards(folders []string) []string {
	out := slices.Clone(folders)
	for _, f := range folders {
		for f != "." {
			f = path.Dir(f)
			if !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// present reports whether something stands in the tree under that name, be it
// unreadable.
func (s *scan) present(name string) bool {
	if !fs.ValidPath(name) {
		return false
	}
	// Servers of one folder all ask for the same few names, most of which are not
	// there. To list a folder once is cheaper than to ask for each.
	folder := path.Dir(name)
	if names := s.list(folder); names != nil && !names[fold(path.Base(name))] {
		return false
	}
	_, err := fs.Stat(s.file.FS, name)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// holds is present for a path below a folder, which need not be put together where
// the folder has nothing of that name.
func (s *scan) holds(folder, first string, rest ...string) bool {
	if names := s.list(folder); names != nil && !names[fold(first)] {
		return false
	}
	return s.present(path.Join(append([]string{folder, first}, rest...)...))
}

// maxListed bounds the names that are kept of one folder.
const maxListed = 10_000

// list returns the names in a folder, folded, or nil where they are not known.
func (s *scan) list(folder string) map[string]bool {
	key := strings.TrimSuffix(s.file.Path, s.file.Name) + folder
	names, known := s.listed[key]
	if known {
		return names
	}
	if folder != "." {
		if above := s.list(path.Dir(folder)); above != nil && !above[fold(path.Base(folder))] {
			return map[string]bool{}
		}
	}
	if entries, err := fs.ReadDir(s.file.FS, folder); err == nil && len(entries) <= maxListed {
		names = map[string]bool{}
		for _, e := range entries {
			names[fold(e.Name())] = true
		}
	}
	if s.listed == nil {
		s.listed = map[string]map[string]bool{}
	}
	s.listed[key] = names
	return names
}

// envFile looks at the variables of a file that the launch reads, where that
// comes with the project. One that does not stand there is another machine's.
func (s *scan) envFile(file word) {
	name := slashed(file.text)
	name = strings.TrimPrefix(name, projectFolder.FindString(name))
	if template.MatchString(name) || outside(name) {
		return
	}
	for _, folder := range s.folders() {
		f := &sbom.File{FS: s.file.FS, Name: path.Join(folder, "x")}
		data, err := f.Sibling(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			s.alter("a file of variables that cannot be read", file.at)
			continue
		}
		for key, value := range envLines(string(data)) {
			s.originVariable(key, value, file.at)
		}
	}
}

// envKey is how a line of a file of variables begins, to any of its readers:
// "K=v", "export K=v", "K: v", with blanks and even line ends between.
var envKey = lazyregexp.New("(?m)^\\s*(?:export\\s+)?['\"]?([^=\\s'\"#]+?)['\"]?\\s*(=|:\\s)(\\s*)")

// envBlanks makes line ends and blanks of all that dotenv takes for them.
func envBlanks(r rune) rune {
	switch {
	case r == '\r', r == '\u2028', r == '\u2029':
		return '\n'
	case r == '\ufeff', r != '\n' && unicode.IsSpace(r):
		return ' '
	default:
		return r
	}
}

// envLines yields what any reader may take for a variable and its value. The
// readers differ, so it rather sees too much: a quote that its line does not
// close stays part of the value, and lines inside of quotes count too.
func envLines(data string) iter.Seq2[string, string] {
	data = strings.Map(envBlanks, data)
	return func(yield func(key, value string) bool) {
		for _, m := range envKey.FindAllStringSubmatchIndex(data, -1) {
			value, _, _ := strings.Cut(data[m[1]:], "\n")
			value = strings.TrimSpace(value)
			quoted := value != "" && strings.ContainsRune("\"'`", rune(value[0]))
			if !quoted && data[m[4]] == '=' && strings.Contains(data[m[6]:m[7]], "\n") {
				value = "" // nothing stands behind the "=", and this is the next line
			}
			if quoted {
				if end := strings.LastIndexByte(value, value[0]); end > 0 {
					value = value[1:end]
				}
			}
			if !yield(data[m[2]:m[3]], value) {
				return
			}
		}
	}
}

// impostor reports whether the folder of the launch holds a program of the name
// that is meant to be found on the machine: Windows looks there first.
func (s *scan) impostor(head word) (subject, bool) {
	p := program(head.text)
	if isPath(head.text) || launchersOf(p) == nil && !isWrapper(p) {
		return subject{}, false
	}
	for _, folder := range s.folders() {
		for _, suffix := range []string{".com", ".exe", ".bat", ".cmd"} {
			if s.holds(folder, p+suffix) {
				return local(word{text: path.Join(folder, p+suffix), at: head.at}, "path"), true
			}
		}
	}
	return subject{}, false
}

// manifest is what matters here of a package.json.
type manifest struct {
	Name, Version string
	Bin           json.RawMessage
	Directories   struct{ Bin string }
	Scripts       map[string]json.RawMessage
}

func (s *scan) manifest(folder string) (manifest, bool) {
	// The path in the inventory tells two trees apart, too.
	key := strings.TrimSuffix(s.file.Path, s.file.Name) + folder
	m, known := s.manifests[key]
	if !known && s.holds(folder, "package.json") {
		f := &sbom.File{FS: s.file.FS, Name: path.Join(folder, "x")}
		data, err := f.Sibling("package.json")
		if err != nil || json.Unmarshal(data, &m) != nil {
			m = manifest{}
		}
		if s.manifests == nil {
			s.manifests = map[string]manifest{}
		}
		s.manifests[key] = m
	}
	return m, m.Name != "" || m.Bin != nil || m.Scripts != nil
}

// runs reports whether the package has a program of that name.
func (m manifest) runs(program string) bool {
	var bins map[string]json.RawMessage
	if json.Unmarshal(m.Bin, &bins) == nil {
		_, ok := bins[program]
		return ok
	}
	return len(m.Bin) > 0 && string(m.Bin) != "null" && m.Name != "" && path.Base(m.Name) == program
}

// own returns what npx would run of the project's own in place of a
// package: a program that package.json names like it, the project itself, an
// installed copy, or what the lockfile installs. want is that package as npm would
// fetch it; byName says that it is looked for as a program, too.
func (s *scan) own(spec word, want subject, byName bool) (subject, bool) {
	if want.component == nil || want.component.Ecosystem != sbom.NPM {
		return subject{}, false
	}
	name := want.component.Name
	if s.foreign() {
		return unknown(spec.at, "the folder that it starts in has an .npmrc of its own"), true
	}
	for _, folder := range upwards(s.folders()) {
		m, _ := s.manifest(folder)
		program := m.runs(spec.text) || m.Directories.Bin != "" && s.present(path.Join(folder, m.Directories.Bin, spec.text)) ||
			s.holds(folder, "node_modules", ".bin", spec.text)
		copied := path.Join(folder, "node_modules", name)
		switch {
		case program && spec.text != name:
			s.alter("a program of the project that has the name of the package with its version", spec.at)
			return unknown(spec.at, "the project has a program of that name, which npx runs instead"), true
		case s.holds(folder, "node_modules", name):
			locked, ok := s.lockedCopy(spec, copied)
			if byName && s.otherProvider(spec, folder, copied) {
				return unknown(spec.at, "another package of the project provides a program of that name, which npx runs instead"), true
			}
			if ok {
				return locked, true
			}
			return s.copy(spec.at, copied, copied), true
		}
		if byName {
			if locked, ok := s.lockedProgram(spec, folder); ok {
				return locked, true
			}
		}
		if locked, ok := s.locked(spec, copied); ok && satisfies(locked, want) {
			return locked, true
		}
		if program || m.Name == name && want.launch.Pin != sbom.PinDistTag {
			return local(spec, ""), true
		}
	}
	return subject{}, false
}

// satisfies reports whether npx takes what is installed for the package that it
// is asked for: any version where none is named, else one of the range; for a tag
// it asks the registry.
func satisfies(locked, want subject) bool {
	if locked.component == nil {
		return want.launch.Pin == sbom.PinUnversioned
	}
	switch want.launch.Pin {
	case sbom.PinUnversioned:
		return true
	case sbom.PinExact:
		return locked.component.Version == want.component.Version
	case sbom.PinRange:
		set, err := semver.NPM.ParseConstraint(want.launch.Request)
		return err == nil && set.Match(locked.component.Version)
	default:
		return false
	}
}

// inInventory is a path of the tree as the inventory has it, with the prefix of
// the tree where there are several.
func (s *scan) inInventory(name string) string {
	return path.Join(strings.TrimSuffix(s.file.Path, s.file.Name), name)
}

// locked is what a lockfile puts into a folder.
func (s *scan) locked(spec word, folder string) (subject, bool) {
	if s.builder == nil || s.file == nil {
		return subject{}, false
	}
	c, id, ok := s.builder.Placed(s.inInventory(folder))
	if !ok {
		return subject{}, false
	}
	return lockedSubject(spec, c, id), true
}

func lockedSubject(spec word, c sbom.Component, id sbom.ID) subject {
	if c.Source == sbom.FromProject || c.Source == sbom.FromLink {
		return local(spec, "") // the user's own code
	}
	return subject{at: spec.at, component: &c, locked: &id, launch: sbom.Launch{
		Kind: sbom.KindNPM, Pin: sbom.PinLockfile, Spec: redactPath(spec.text), Request: c.Version,
	}}
}

// lockedCopy is locked for a folder that is there: only where what lies in it says
// that it is the package that the lockfile names. Any other copy was put there by
// somebody else.
func (s *scan) lockedCopy(spec word, folder string) (subject, bool) {
	out, ok := s.locked(spec, folder)
	if !ok || out.component == nil {
		return subject{}, false
	}
	m, ok := s.manifest(folder)
	if !ok || m.Name != out.component.Name || m.Version != out.component.Version {
		return subject{}, false
	}
	return out, true
}

// lockedProgram is the package that provides a command in the folder, by its
// lockfile.
func (s *scan) lockedProgram(program word, folder string) (subject, bool) {
	if s.builder == nil || s.file == nil {
		return subject{}, false
	}
	ids := s.builder.Providers(s.inInventory(path.Join(folder, "node_modules")), program.text)
	switch len(ids) {
	case 0:
		return subject{}, false
	case 1:
		return lockedSubject(program, s.builder.Instance(ids[0]), ids[0]), true
	default:
		return unknown(program.at, "more than one package of the project provides a program of that name"), true
	}
}

// otherProvider reports whether a lockfile gives the command to another package
// than the one in the folder that is called like it.
func (s *scan) otherProvider(program word, folder, named string) bool {
	if s.builder == nil || s.file == nil {
		return false
	}
	_, placed, _ := s.builder.Placed(s.inInventory(named))
	ids := s.builder.Providers(s.inInventory(path.Join(folder, "node_modules")), program.text)
	return slices.ContainsFunc(ids, func(id sbom.ID) bool { return id != placed })
}

// projectProgram is the package that provides a command of the project, nearest
// first. Where no lockfile says which commands a package has, the one that is
// called like it.
func (s *scan) projectProgram(program word) (subject, bool) {
	for _, folder := range upwards(s.folders()) {
		if out, ok := s.lockedProgram(program, folder); ok {
			return out, true
		}
		if out, ok := s.locked(program, path.Join(folder, "node_modules", program.text)); ok && npmName.MatchString(program.text) {
			return out, true
		}
	}
	return subject{}, false
}

// hasProject reports whether a Node project is there for the launch, which says
// what it has.
func (s *scan) hasProject() bool {
	return slices.ContainsFunc(upwards(s.folders()), func(folder string) bool {
		return slices.ContainsFunc(projectFiles, func(name string) bool { return s.present(path.Join(folder, name)) })
	})
}

var projectFiles = set("package.json package-lock.json npm-shrinkwrap.json pnpm-lock.yaml yarn.lock bun.lock bun.lockb node_modules")

// hasScript reports whether the nearest package.json has a script of that name.
func (s *scan) hasScript(name string) bool {
	for _, folder := range upwards(s.folders()) {
		if m, ok := s.manifest(folder); ok {
			_, found := m.Scripts[name]
			return found
		}
	}
	return false
}

// hasProgram reports whether the project's installed packages have a program of
// that name, which is found where the wanted package has none.
func (s *scan) hasProgram(name string) bool {
	return slices.ContainsFunc(upwards(s.folders()), func(f string) bool {
		return s.holds(f, "node_modules", ".bin", name)
	})
}

// foreign reports whether the launch runs in a folder below the project with
// settings of npm that are not the project's.
func (s *scan) foreign() bool {
	return s.folder != "" && slices.ContainsFunc(s.folders(), func(f string) bool { return s.holds(f, ".npmrc") })
}

// copy is an installed copy of a package. It is known by what its package.json
// says, but who put it there, and from where, nothing records: it is a folder of
// the project, never the registry's package of that name and version.
func (s *scan) copy(at place, folder, spec string) subject {
	out := subject{at: at, launch: sbom.Launch{Kind: sbom.KindLocal, Pin: sbom.PinInstalled, Spec: redactPath(spec)}}
	m, ok := s.manifest(folder)
	if !ok || !npmName.MatchString(m.Name) || !npmExact.MatchString(m.Version) {
		return out
	}
	c := copyOf(at, m.Name+"@"+m.Version, folder)
	if c == nil {
		return out
	}
	out.component, out.launch.Kind = c, sbom.KindNPM
	return out
}

// copyOf is the component of a copy in a folder, nil where the spec is none.
func copyOf(at place, spec, folder string) *sbom.Component {
	c := npmRegistry(word{at: at}, spec).component
	if c == nil {
		return nil
	}
	c.Source, c.Resolved = sbom.FromFile, redactPath(folder)
	namespace, base, scoped := strings.Cut(c.Name, "/")
	if !scoped {
		namespace, base = "", c.Name
	}
	c.PURL = packageurl.NewPackageURL("generic", namespace, base, c.Version, nil, strings.TrimLeft(c.Resolved, "/")).ToString()
	return c
}

var (
	modulePath   = lazyregexp.New(`^(.*/)?node_modules/((?:@[^/]+/)?[^/@.][^/]*)/`)
	globalModule = lazyregexp.New(`(^|/)lib/node_modules/`)
)

// copied is an installed copy of which only the path tells: where no project is
// there to be asked, or where it stands elsewhere on the machine. Nobody knows its
// version; a package that is installed for the whole machine anybody may replace.
func (s *scan) copied(file word) (subject, bool) {
	name := slashed(file.text)
	m := modulePath.FindStringSubmatch(name)
	elsewhere := path.IsAbs(name) || windowsDrive.MatchString(name) || isVariable(name) || strings.HasPrefix(name, "~")
	if m == nil || file.open || template.MatchString(m[2]) || slices.Contains(strings.Split(name, "/"), "..") || !elsewhere && s.hasProject() {
		return subject{}, false
	}
	c := copyOf(file.at, m[2], path.Clean(m[0]))
	if c == nil {
		return subject{}, false
	}
	out := subject{at: file.at, component: c, launch: sbom.Launch{Kind: sbom.KindNPM, Pin: sbom.PinInstalled, Spec: redactPath(file.text)}}
	if systemPath(name) || globalModule.MatchString(name) {
		out.launch.Pin = sbom.PinUnknown
	}
	return out, true
}
