package mcp

import (
	"regexp"
	"slices"
	"strings"

	"countermark/sbom"
)

// A package's name says nothing about its bytes where the launch itself chooses
// the registry, or changes what the launcher does. Both are noticed as options
// and as environment variables, whose values do not leave this file but for a
// registry's URL, redacted.

// registryOptions choose where npm's, uv's and pipx's launchers fetch from.
var registryOptions = set(`--registry --index --index-url --default-index --extra-index-url --find-links -f
	--use-yarnrc`)

// alteringOptions change what a launcher runs: other configuration files, code
// that is loaded first, a shell of the configuration's choice, no TLS.
var alteringOptions = set(`--userconfig --globalconfig --node-options --node-arg -n --script-shell --shell
	--cafile --ca --config-file --allow-insecure-host --trusted-host --overrides --override`)

// origin looks at the options of one launch.
func (s *scan) origin(p parsed) {
	for _, o := range p.options {
		_, scoped := strings.CutSuffix(o.name, ":registry") // npm: --@scope:registry=URL
		switch {
		case o.value == nil:
		case scoped || slices.Contains(registryOptions, o.name):
			s.registry(o.value.text, o.value.at)
		case slices.Contains(alteringOptions, o.name):
			s.risk(sbom.RiskAltered, o.value.at)
		}
	}
}

func (s *scan) registry(url string, at place) {
	r := sbom.Risk{Code: sbom.RiskRegistry, Where: at.where, Line: at.line, Column: at.column, URL: redact(url)}
	if !slices.Contains(s.risks, r) {
		s.risks = append(s.risks, r)
	}
}

var (
	registryVariables = set(`npm_config_registry yarn_registry yarn_npm_registry_server bun_config_registry
		uv_index uv_index_url uv_default_index uv_extra_index_url uv_find_links
		pip_index_url pip_extra_index_url pip_find_links`)
	alteringVariables = set(`npm_config_userconfig npm_config_globalconfig npm_config_node_options
		npm_config_script_shell npm_config_shell npm_config_cafile npm_config_ca npm_config_strict_ssl
		uv_config_file uv_insecure_host uv_override uv_overrides pip_config_file pip_trusted_host
		ld_preload ld_audit dyld_insert_libraries bash_env perl5opt rubyopt`)

	// nodeLoads are the options of NODE_OPTIONS that load code; the others, such
	// as --max-old-space-size, are harmless.
	nodeLoads = regexp.MustCompile(`(^|\s)(-r|--require|--import|--loader|--experimental-loader|--experimental-default-config-file|--experimental-config-file)\b`)
)

// originVariable looks at an environment variable. npm takes its own in any
// letter case, and a hyphen for an underscore.
func (s *scan) originVariable(name, value string, at place) {
	key := strings.ReplaceAll(strings.ToLower(name), "-", "_")
	switch {
	case strings.TrimSpace(value) == "":
	case slices.Contains(registryVariables, key), strings.HasPrefix(key, "npm_config_@") && strings.HasSuffix(key, ":registry"):
		s.registry(value, at)
	case slices.Contains(alteringVariables, key), key == "node_options" && nodeLoads.MatchString(value):
		s.risk(sbom.RiskAltered, at)
	}
}
