package mcp

import (
	"slices"
	"strings"

	"countermark/sbom"
)

// proxy says what a program that stands between client and server runs or calls.
type proxy struct {
	options options
	pairs   []string // options that take two words

	urls     []string // options whose value is a URL that it calls
	scripts  []string // options whose value is a shell string that it runs
	modules  []string // options whose value is the URL of code that it runs
	programs []string // options whose value is a program that it runs
	insecure []string // options that allow plain http or skip the check of certificates

	url     bool // the first positional word may be a URL
	command bool // the positional words may be a command
	hosted  bool // the first positional word behind "run" names a hosted server
}

const (
	remoteValue = "--host --resource --ignore-tool --auth-timeout --transport --static-oauth-client-metadata --static-oauth-client-info --header"
	bridgeValue = "--port --host --baseUrl --ssePath --messagePath --streamableHttpPath --outputTransport --logLevel --header --oauth2Bearer --sessionTimeout --protocolVersion"
)

// proxies are known by the name of their package or program.
var proxies = map[string]proxy{
	"mcp-remote": {
		options: options{value: set(remoteValue), boolean: set("--allow-http --debug --silent --enable-proxy --disable-resource-parameter"), interspersed: true},
		url:     true, insecure: set("--allow-http"),
	},
	"supergateway": {
		options: options{value: set(bridgeValue + " --stdio --sse --streamableHttp --ws"), interspersed: true, swallow: true},
		scripts: set("--stdio"), urls: set("--sse --streamableHttp --ws"),
	},
	"mcp-proxy": {
		options: options{
			value:   set("--transport --port --host --sse-port --sse-host --cwd --log-level --named-server-config --client-id --client-secret --token-url --allow-origin --server --endpoint --sseEndpoint --streamEndpoint --shell --apiKey --requestTimeout --eventStore --gracefulShutdownTimeout"),
			boolean: set("--pass-environment --no-pass-environment --stateless --no-stateless --debug --no-debug --verify-ssl --no-verify-ssl"),
		},
		pairs: set("-H --headers -e --env"), scripts: set("--named-server"), insecure: set("--no-verify-ssl"),
		url: true, command: true,
	},
	"mcp-proxy-for-aws": {
		options: options{value: set("--service --profile --region --log-level --metadata --retries --timeout --connect-timeout --read-timeout --write-timeout"), boolean: set("--read-only"), interspersed: true},
		url:     true,
	},
	"mcpo": {
		options: options{value: set("--port -p --host --api-key -k --cors-allow-origins --server-type --type --config -c --name --description --version --root-path --path-prefix --ssl-certfile --ssl-keyfile --header --log-level --env -e"), boolean: set("--strict-auth --hot-reload")},
		url:     true, command: true,
	},
	"@modelcontextprotocol/inspector": {
		options: options{value: set("--config --server -e --env --transport --server-url --method --tool-name --tool-arg --header"), boolean: set("--cli")},
		urls:    set("--server-url"),
		url:     true,
		command: true,
	},
	"mcp-context-protector": {
		options:  options{value: set("--command --command-args --url --sse-url --config-file --server-config-file --ansi-escape-mode --quarantine-path --guardrail-provider"), boolean: set("--visualize-ansi-codes")},
		programs: set("--command"), urls: set("--url --sse-url"),
	},
	"toolbase-runner": {options: options{value: set("-m -c"), interspersed: true, swallow: true}, modules: set("-m")},
	"@smithery/cli":   {hosted: true, options: options{value: set("--key -k --client -c --config --profile"), interspersed: true, swallow: true}},
	"cross-env":       {options: options{}, command: true},
	"dotenv-cli":      {options: options{value: set("-e -c -v -p"), boolean: set("-o --override --debug")}, command: true},
}

// aliases are names of the same program.
var aliases = map[string]string{
	"mcp-inspector": "@modelcontextprotocol/inspector", "mcp-remote-client": "mcp-remote", "smithery": "@smithery/cli", "dotenv": "dotenv-cli",
}

// proxied returns what a proxy runs or calls, and nothing for everything else.
func (s *scan) proxied(name string, args []word, depth int) []subject {
	if real := aliases[name]; real != "" {
		name = real
	}
	px, ok := proxies[name]
	if !ok || len(args) == 0 {
		return nil
	}
	if depth >= maxUnwrap {
		return []subject{unknown(args[0].at, "it is wrapped too deeply")}
	}
	args = s.withoutPairs(px, args)
	p := px.options.parse(args)
	if p.has(px.insecure...) {
		s.riskOf(sbom.RiskInsecureRemote, args, px.insecure)
	}
	var out []subject
	for _, u := range p.values(px.urls...) {
		out = append(out, s.remote(u))
	}
	for _, u := range p.values(px.modules...) {
		out = append(out, module(u))
	}
	for _, script := range p.values(px.scripts...) {
		out = append(out, s.shell(script, "", depth+1)...)
	}
	for _, head := range p.values(px.programs...) {
		// The rest of the words are the program's, also behind other options.
		i := slices.IndexFunc(args, func(a word) bool { return a.text == "--command-args" })
		inner := []word{head}
		if i >= 0 {
			inner = append(inner, args[i+1:]...)
		}
		out = append(out, s.command(inner, depth+1)...)
	}
	return append(out, s.behind(px, p, depth)...)
}

// behind is what the positional words of a proxy name.
func (s *scan) behind(px proxy, p parsed, depth int) []subject {
	if len(p.rest) == 0 {
		return nil
	}
	if px.hosted {
		if p.rest[0].text != "run" || len(p.rest) < 2 {
			return nil
		}
		out := unknown(p.rest[1].at, "a hosted registry says what runs")
		out.launch.Spec = redact(p.rest[1].text)
		return []subject{out}
	}
	if px.url && !px.command {
		return s.called(p.rest)
	}
	if p.unclear != nil && p.dashes < 0 {
		return []subject{ambiguous(*p.unclear)}
	}
	rest := p.rest
	for len(rest) > 0 {
		name, value, ok := assignment(rest[0].text)
		if !ok {
			break
		}
		s.variable(name, value, rest[0].at)
		rest = rest[1:]
	}
	switch {
	case len(rest) == 0:
		return nil
	case px.url && strings.Contains(rest[0].text, "://"):
		return []subject{s.remote(rest[0])}
	case px.command:
		return s.command(rest, depth+1)
	default:
		return nil
	}
}

// called is the first URL among the words of a proxy that only calls.
func (s *scan) called(rest []word) []subject {
	for _, w := range rest {
		if strings.Contains(w.text, "://") || isVariable(w.text) {
			return []subject{s.remote(w)}
		}
	}
	return nil
}

// withoutPairs removes options that take two words, which no table of options
// can say: -H NAME VALUE.
func (s *scan) withoutPairs(px proxy, args []word) []word {
	if px.pairs == nil {
		return args
	}
	var out []word
	for i := 0; i < len(args); i++ {
		switch {
		case args[i].text == "--":
			return append(out, args[i:]...)
		case !slices.Contains(px.pairs, args[i].text):
			out = append(out, args[i])
		case i+2 < len(args):
			name, value := args[i+1].text, args[i+2]
			if args[i].text == "-e" || args[i].text == "--env" {
				s.variable(name, value.text, value.at)
			} else if headerSecret(name, value.text) {
				s.risk(sbom.RiskSecret, value.at)
			}
			i += 2
		}
	}
	return out
}

// cdn matches the URLs of services that serve npm packages as modules.
var cdn = lazy(`^https://(?:esm\.sh|unpkg\.com|cdn\.jsdelivr\.net/npm)/(?:v[0-9]+/|\*)?((?:@[^/@?]+/)?[^/@?]+(?:@[^/?]+)?)(?:[/?].*)?$`)

// module is code that is run from a URL. Of a service that serves npm packages
// the URL names package and version, but what comes is the service's own build.
func module(w word) subject {
	m := cdn.FindStringSubmatch(w.text)
	if m == nil {
		return unknown(w.at, "it runs code from a URL")
	}
	out := npmRegistry(w, m[1])
	if out.component == nil {
		return out
	}
	out.launch.Spec = redactURL(w.text)
	out.component.Source, out.component.Resolved = sbom.FromTarball, out.launch.Spec
	return out
}
