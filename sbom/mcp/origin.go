package mcp

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// A package's name says nothing about its bytes where the launch itself chooses
// the registry, or changes what the launcher does. Both are noticed as options
// and as environment variables, whose values do not leave this file but for a
// registry's URL, redacted. A changed launch is no launch of the package that it
// names: see settle.

// registryOptions choose where npm's, uv's and pipx's launchers fetch from.
var registryOptions = set(`--registry --index --index-url --default-index --extra-index-url --find-links -f -i
	--source --add-source`)

// npmAltering are the configuration keys of npm that change what runs: other
// configuration files, another folder, cache, shell or git, code that is loaded
// first, authorities of the configuration's choice.
var npmAltering = names(`userconfig globalconfig node-options script-shell shell prefix git cafile ca
	workspace workspaces node-gyp init-module`)

// alteringOptions are those of the other launchers, where the value is a path of
// a file, a folder or a program.
var alteringOptions = set(`--userconfig --globalconfig --node-options --node-arg --script-shell --shell
	--cafile --ca --config-file --allow-insecure-host --trusted-host --overrides --override --use-yarnrc
	--constraints --constraint --build-constraints --with-requirements --with-editable --pip-args
	--dir -C --filter -F --config --configfile --prefix --git -c -b`)

// cacheOptions and cacheVariables move a cache, authorityVariables name
// authorities to trust, which matters only where they come with the project.
var (
	cacheOptions       = set("--cache --cache-dir --store-dir")
	cacheVariables     = set("npm_config_cache uv_cache_dir xdg_cache_home deno_dir yarn_global_folder yarn_cache_folder gomodcache nuget_packages")
	authorityVariables = set("node_extra_ca_certs ssl_cert_file ssl_cert_dir requests_ca_bundle curl_ca_bundle deno_cert")
)

// steering are the options of npm, uv and pipx that change which versions a spec
// selects, or what comes with them.
var steering = names(`before tag min-release-age min-release-age-exclude omit include legacy-peer-deps
	strict-peer-deps install-strategy global-style legacy-bundling prefer-dedupe force engine-strict os cpu libc
	only also production optional
	prerelease pre exclude-newer exclude-newer-package resolution fork-strategy index-strategy no-index
	python-platform torch-backend no-binary no-binary-package no-build no-build-package binary build index`)

// steeringVariables are the environment variables that do the same; those of npm
// are its keys.
var steeringVariables = set(`uv_prerelease uv_exclude_newer uv_resolution uv_fork_strategy uv_index_strategy
	uv_torch_backend uv_no_binary uv_no_binary_package uv_no_build uv_no_build_package pip_pre pip_no_binary
	pip_only_binary pip_no_index`)

// origin looks at the options of one launch.
func (s *scan) origin(p parsed) {
	for _, o := range p.options {
		if name := strings.TrimPrefix(strings.TrimLeft(o.name, "-"), "no-"); steering[name] {
			s.steered = cmp.Or(s.steered, "the option "+o.name)
		}
		_, scoped := strings.CutSuffix(o.name, ":registry") // npm: --@scope:registry=URL
		switch {
		case o.value == nil:
		case scoped || slices.Contains(registryOptions, o.name):
			s.registry(o.value.text, o.value.at)
		case slices.Contains(cacheOptions, o.name) && outside(o.value.text):
		case o.name == "--node-options" && harmlessForNode(o.value.text):
		case slices.Contains(cacheOptions, o.name), npmAltering[strings.TrimPrefix(o.name, "--")] || slices.Contains(alteringOptions, o.name):
			s.alter("the option "+o.name, o.value.at)
		}
	}
}

func (s *scan) registry(list string, at place) {
	for _, shown := range registryURLs(list) {
		s.addRisk(sbom.Risk{Code: sbom.RiskRegistry, Where: at.where, Line: at.line, Column: at.column, URL: shown})
	}
}

var indexName = lazyregexp.New(`^[A-Za-z0-9_.-]+=`)

// registryURLs are the URLs of a list of registries as they may be shown. uv and
// pip take several, apart by blanks or commas, uv also NAME=URL. Where one is no
// URL, none is shown: it may be the rest of a password that holds a comma.
func registryURLs(list string) []string {
	var out []string
	for item := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		item = item[len(indexName.FindString(item)):]
		u, err := url.Parse(item)
		if err != nil || u.Scheme == "" || u.Host == "" {
			return []string{sbom.Redacted}
		}
		out = append(out, redact(item))
	}
	if len(out) == 0 {
		return []string{sbom.Redacted}
	}
	return out
}

// alteration is what changes a launch: "the option --prefix".
type alteration struct {
	what string // never holds a value
	at   place
	// path: it only names a place to look for programs or modules, which
	// matters to what is fetched, and is everyday for what is local.
	path bool
}

func (s *scan) alter(what string, at place) {
	s.altered = append(s.altered, alteration{what: what, at: at})
}

// settle takes the alterations into account, once the whole launch is known. A
// package that is launched differently than by its launcher alone is not what
// runs, or not all of it: it is named, nested in what cannot be told. The
// project's own files may load each other as they like.
func (s *scan) settle(out []subject) []subject {
	for i := range out {
		if k := out[i].launch.Kind; k == sbom.KindNPM || k == sbom.KindPyPI {
			out[i].launch.Steered = s.steered
		}
	}
	fetched := slices.ContainsFunc(out, func(o subject) bool { return fetches(o.launch.Kind) })
	own := !slices.ContainsFunc(out, func(o subject) bool {
		return o.launch.Kind != sbom.KindLocal && o.launch.Kind != sbom.KindRemote
	})
	for _, a := range s.altered {
		if own || a.path && !fetched {
			continue
		}
		s.risk(sbom.RiskAltered, a.at)
	}
	if len(s.altered) == 0 || !fetched {
		return out
	}
	first := s.altered[0]
	outer := unknown(first.at, first.what+" changes what is run")
	outer.launcher = out[0].launcher
	if out[0].reason != "" {
		out[0].reason += "; " + outer.reason
		return out
	}
	return limited(append([]subject{outer}, nested(worthNaming(out))...))
}

// fetches reports whether a kind is one that has an identity of its own, on which
// a verdict may build.
func fetches(k sbom.Kind) bool {
	switch k {
	case sbom.KindNPM, sbom.KindPyPI, sbom.KindOCI, sbom.KindGit, sbom.KindNuGet, sbom.KindGo, sbom.KindCargo:
		return true
	default:
		return false
	}
}

var (
	registryVariables = set(`npm_config_registry yarn_registry yarn_npm_registry_server bun_config_registry
		pnpm_config_registry corepack_npm_registry
		uv_index uv_index_url uv_default_index uv_extra_index_url uv_find_links
		pip_index_url pip_extra_index_url pip_find_links
		goproxy jsr_url`)
	alteringVariables = set(`npm_config_package npm_config_call npm_config_strict_ssl
		uv_config_file uv_insecure_host uv_override uv_overrides uv_constraint uv_build_constraint uv_env_file
		uv_python_install_mirror uv_python_downloads_json_url
		pip_config_file pip_trusted_host pip_constraint pip_requirement pip_prefix pip_target
		yarn_yarn_path yarn_plugins yarn_rc_filename bun_options bun_inspect_preload
		ld_preload ld_audit dyld_insert_libraries bash_env zdotdir shellopts bashopts ps4 comspec pathext cdpath
		perl5opt rubyopt jdk_java_options java_tool_options node_repl_external_module
		gosumdb gonosumdb gonosumcheck goinsecure goenv
		dotnet_startup_hooks dotnet_additional_deps dotnet_shared_store coreclr_profiler_path coreclr_profiler_path_64
		coreclr_profiler_path_32 cor_profiler_path
		git_exec_path git_config_global git_config_system git_config_count git_config_parameters`)
	// folderVariables are those that projectFolder takes for the project.
	folderVariables = set("workspacefolder workspaceroot pwd claude_project_dir claude_plugin_root")
	// pathVariables hold folders in which programs, modules or settings are
	// looked for.
	pathVariables = set(`path pythonpath pythonhome pythonuserbase node_path ld_library_path dyld_library_path
		dyld_framework_path dyld_fallback_library_path home userprofile appdata localappdata
		xdg_config_home xdg_data_home prefix nvm_bin nvm_dir pnpm_home bun_install volta_home
		cargo_home homebrew_prefix uv_tool_dir uv_python uv_python_install_dir
		uv_project uv_working_directory uv_project_environment virtual_env pipx_home pipx_default_python
		corepack_home git_ssh git_ssh_command dotnet_root dotnet_cli_home`)

	// nodeLoads are the options of NODE_OPTIONS that load code; the others, such
	// as --max-old-space-size, are harmless.
	nodeLoads = set(`-r --require --import --loader --experimental-loader --experimental-default-config-file
		--experimental-config-file --env-file --env-file-if-exists --openssl-config --openssl-shared-config
		--snapshot-blob`)
	goFlagsAlter   = lazyregexp.New("-(exec|toolexec|overlay|modfile|pkgdir|compiler|mod=vendor)|[$%`{]")
	wholeReference = lazyregexp.New(`^(\$\{(env:)?\w+\}|\$\w+|%\w+%)$`)

	pathReference = lazyregexp.New(`(?i)\$\{(env:)?PATH\}|\$PATH\b|%PATH%|\$env:PATH\b`)
	pythonVersion = lazyregexp.New(`^((c?python|pypy|graalpy)[@-]?)?[<>=~!]*[0-9][0-9.,<>=~!*a-z+]*$`)
)

// originVariable looks at an environment variable. npm takes its own in any
// letter case, and a hyphen for an underscore.
func (s *scan) originVariable(name, value string, at place) {
	key := strings.ReplaceAll(strings.ToLower(name), "-", "_")
	npmKey, isNPM := strings.CutPrefix(key, "npm_config_")
	if strings.TrimSpace(value) == "" {
		return
	}
	if isNPM && steering[strings.ReplaceAll(npmKey, "_", "-")] || slices.Contains(steeringVariables, key) {
		s.steered = cmp.Or(s.steered, "the variable "+strings.ToUpper(key))
	}
	what := alteration{what: "the variable " + strings.ToUpper(key), at: at}
	switch {
	case key == "goproxy" && (value == "direct" || value == "off"):
		return // from the repositories themselves, or not at all
	case slices.Contains(registryVariables, key), isNPM && strings.HasPrefix(npmKey, "@") && strings.HasSuffix(key, ":registry"):
		s.registry(value, at)
		return
	case slices.Contains(pathVariables, key):
		if harmlessPath(key, value) {
			return
		}
		what.path = true
	case slices.Contains(cacheVariables, key), slices.Contains(authorityVariables, key):
		if outside(value) {
			return
		}
		what.path = true
	case slices.Contains(folderVariables, key):
		if projectFolder.FindString(value) == value || outside(value) {
			return
		}
		what.path = true
	case strings.HasPrefix(key, "bash_func_"):
		what.what = "a function in the environment"
	case key == "goflags":
		if !goFlagsAlter.MatchString(value) {
			return
		}
	case key == "node_options":
		if !slices.ContainsFunc(nodeWords(value), nodeAlters) {
			return
		}
	case npmKey == "node_options" && isNPM && harmlessForNode(value):
		return
	case !slices.Contains(alteringVariables, key) && (!isNPM || !npmAltering[strings.ReplaceAll(npmKey, "_", "-")]):
		return
	}
	s.altered = append(s.altered, what)
}

// harmlessForNode reports whether a value of npm's node-options, which becomes
// NODE_OPTIONS, is nothing but options that load no code.
func harmlessForNode(value string) bool {
	return !slices.ContainsFunc(nodeWords(value), func(w string) bool {
		return !strings.HasPrefix(w, "--") || template.MatchString(w) || nodeAlters(w)
	})
}

// nodeWords splits NODE_OPTIONS as Node does: at spaces, where double quotes hold
// together, and a backslash takes the next character inside of them only.
func nodeWords(value string) []string {
	out := []string{""}
	quoted, escaped := false, false
	for _, r := range value {
		switch {
		case !escaped && quoted && r == '\\':
			escaped = true
			continue
		case !escaped && r == '"':
			quoted = !quoted
		case !escaped && !quoted && r == ' ':
			out = append(out, "")
		default:
			out[len(out)-1] += string(r)
		}
		escaped = false
	}
	if quoted {
		out = append(out, `"`) // Node refuses it; a shell on the way may close it
	}
	return out
}

// nodeAlters reports whether a word of NODE_OPTIONS loads code, or may do so: it
// holds quotes for another reader, or a variable makes an option of it.
func nodeAlters(w string) bool {
	name, _, _ := strings.Cut(w, "=")
	if slices.Contains(nodeLoads, strings.ReplaceAll(name, "_", "-")) || strings.ContainsAny(w, "\"'\\\t\r\n") {
		return true
	}
	return template.MatchString(name) && !wholeReference.MatchString(w)
}

// harmlessPath reports whether all folders of a variable are those of the
// machine, which a commit cannot fill. An empty one is the current folder.
func harmlessPath(key, value string) bool {
	value = strings.TrimSpace(value)
	if key == "uv_python" || key == "pipx_default_python" {
		if pythonVersion.MatchString(value) {
			return true
		}
	}
	if key == "path" {
		value = pathReference.ReplaceAllString(value, "/usr/bin")
	}
	value = slashed(value)
	separator := ":"
	if strings.Contains(value, ";") || windowsDrive.MatchString(value) || strings.HasPrefix(value, "%") {
		separator = ";"
	}
	for entry := range strings.SplitSeq(value, separator) {
		entry = strings.TrimSpace(entry)
		if !systemPath(entry) && !home.MatchString(entry) {
			return false
		}
	}
	return true
}
