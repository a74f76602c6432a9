package mcp

import (
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// proxy says what a program that stands between client and server runs or calls.
type proxy struct {
	options options
	pairs   []string // options that take two words
	servers []string // options that take a name and a shell string
	sub     []string // words that stand before the others

	urls     []string // options whose value is a URL that it calls
	scripts  []string // options whose value is a shell string that it runs
	modules  []string // options whose value is the URL of code that it runs
	programs []string // options whose value is a program that it runs
	insecure []string // options that allow plain http or skip the check of certificates

	configs []string // options whose value is a file that says what else runs

	url     bool // the first positional word may be a URL
	command bool // the positional words may be a command
	each    bool // every positional word is a shell string
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
		pairs: set("-H --headers -e --env"), servers: set("--named-server"), configs: set("--named-server-config"), insecure: set("--no-verify-ssl"),
		url: true, command: true,
	},
	"mcp-proxy-for-aws": {
		options: options{value: set("--service --profile --region --log-level --metadata --retries --timeout --connect-timeout --read-timeout --write-timeout"), boolean: set("--read-only"), interspersed: true},
		url:     true,
	},
	"mcpo": {
		options: options{value: set("--port -p --host --api-key -k --cors-allow-origins --server-type --type --config -c --name --description --version --root-path --path-prefix --ssl-certfile --ssl-keyfile --header --log-level --env -e"), boolean: set("--strict-auth --hot-reload")},
		configs: set("-c --config"),
		url:     true, command: true,
	},
	"@modelcontextprotocol/inspector": {
		options: options{value: set("--config --server -e --env --transport --server-url --method --tool-name --tool-arg --header"), boolean: set("--cli")},
		urls:    set("--server-url"),
		configs: set("--config"),
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
	"fastmcp": {
		options: options{value: set("--transport -t --host --port --path --log-level -l --python --with --with-requirements --project --env --config"), boolean: set("--no-banner --skip-source --skip-env --reload"), interspersed: true},
		sub:     set("run dev"), url: true,
	},
	"mcp":                      {options: options{value: set("-t --transport --with -e --with-editable -f --env-file"), interspersed: true, swallow: true}, sub: set("run dev")},
	"mcp-hub":                  {options: options{value: set("--port --config"), interspersed: true, swallow: true}, configs: set("--config")},
	"mcp-superassistant-proxy": {options: options{value: set("--port --config --host --logLevel"), interspersed: true, swallow: true}, configs: set("--config -c")},
	"concurrently":             {options: options{value: set("-n --names -c --prefix-colors -p --prefix --prefix-length --restart-tries --restart-after -m --max-processes --kill-signal --default-input-target --handle-input-target -l --timestamp-format -s --success"), boolean: set("-k --kill-others --kill-others-on-fail -r --raw --no-color -i --handle-input --hide -g --group --timings")}, each: true},
	"nodemon":                  {options: options{value: set("-x --exec -w --watch -e --ext -d --delay -i --ignore --signal --config --cwd"), interspersed: true, swallow: true}, scripts: set("-x --exec")},
	"env-cmd":                  {options: options{value: set("-f --file -r --rc-file -e --environments"), boolean: set("--no-override --fallback -x --expand-envs --verbose --silent --use-shell")}, command: true},
	"dotenv-cli":               {options: options{value: set("-e -c -v -p"), boolean: set("-o --override --debug")}, command: true},
}

// aliases are names of the same program.
var aliases = map[string]string{
	"mcp-inspector": "@modelcontextprotocol/inspector", "mcp-remote-client": "mcp-remote", "smithery": "@smithery/cli", "dotenv": "dotenv-cli",
	"@srbhptl39/mcp-superassistant-proxy": "mcp-superassistant-proxy",
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
	args, strings := s.withoutPairs(px, args)
	if len(args) > 0 && slices.Contains(px.sub, args[0].text) {
		args = args[1:]
	}
	p := px.options.parse(args)
	if p.has(px.insecure...) && !staysHere(args) {
		s.riskOf(sbom.RiskInsecureRemote, args, px.insecure)
	}
	var out []subject
	for _, script := range strings {
		out = append(out, s.shell(script, "", depth+1)...)
	}
	for _, file := range p.values(px.configs...) {
		out = append(out, unknown(file.at, "a file of its own says what else it runs"))
	}
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
	if px.each {
		var out []subject
		for _, script := range p.rest {
			out = append(out, worthNaming(s.shell(script, "", depth+1))...)
		}
		return out
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
// can say: -H NAME VALUE, --named-server NAME COMMAND. It returns the commands.
func (s *scan) withoutPairs(px proxy, args []word) (rest, scripts []word) {
	if px.pairs == nil {
		return args, nil
	}
	for i := 0; i < len(args); i++ {
		switch {
		case args[i].text == "--":
			return append(rest, args[i:]...), scripts
		case slices.Contains(px.servers, args[i].text) && i+2 < len(args):
			scripts = append(scripts, args[i+2])
			i += 2
		case !slices.Contains(px.pairs, args[i].text):
			rest = append(rest, args[i])
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
	return rest, scripts
}

// cdn matches the URLs of services that serve npm packages as modules, and notPackages
// those of the same hosts that serve something else.
var (
	cdn = lazyregexp.New(`^https://(?:(?:cdn\.)?esm\.sh|esm\.run|(?:esm\.)?unpkg\.com|cdn\.jsdelivr\.net/npm|cdn\.skypack\.dev|ga\.jspm\.io|jspm\.dev)/(?:npm:)?` +
		`(?:(?:v[0-9]+|stable)/)?(?:pin/)?\*?((?:@[^/@?#]+/)?[^/@?#&]+(?:@[^/?#&]+)?)(?:[/?#&].*)?$`)
	notPackages = lazyregexp.New(`^https://[^/]+/(?:(?:v[0-9]+|stable)/)?(?:gh|jsr|pr|pkg\.pr\.new|new|run|tsx|x|build|transform|combine|wp|bb)(?:/|$)`)
)

// module is code that is run from a URL. Of a service that serves npm packages
// the URL names package and version, but what comes is the service's own build.
func module(w word) subject {
	m := cdn.FindStringSubmatch(w.text)
	if m == nil || notPackages.MatchString(w.text) {
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
