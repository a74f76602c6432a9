package mcp

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// scan analyses the words of one server, and collects on the way which
// environment variables it is given and what is dangerous.
type scan struct {
	file     *sbom.File    // leads to the files around the configuration; may be nil
	builder  *sbom.Builder // knows what the lockfiles around it install; may be nil
	env      []string
	named    []string // what is a credential by its name
	risks    []sbom.Risk
	noted    map[sbom.Risk]bool // what is in risks
	steered  string             // what changes what a spec selects; see steering
	altered  []alteration
	folder   string // that the launch runs in, relative to where the client starts it
	away     bool   // it runs outside of the tree
	commands int

	asked    []string // the folders of the launch while its folder is askedFor: see folders
	askedFor string

	manifests map[string]manifest        // that were read already
	listed    map[string]map[string]bool // the names in folders of the tree
}

func (s *scan) risk(code sbom.RiskCode, at place) {
	r := sbom.Risk{Code: code, Where: at.where, Line: at.line, Column: at.column}
	s.addRisk(r)
}

// addRisk notes a risk once.
func (s *scan) addRisk(r sbom.Risk) {
	if s.noted == nil {
		s.noted = map[sbom.Risk]bool{}
	}
	if !s.noted[r] {
		s.noted[r] = true
		s.risks = append(s.risks, r)
	}
}

// sortedRisks returns the risks in file order.
func (s *scan) sortedRisks() []sbom.Risk {
	slices.SortStableFunc(s.risks, func(x, y sbom.Risk) int {
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column), cmp.Compare(x.Code, y.Code))
	})
	return s.risks
}

// riskOf records a risk where the options stand.
func (s *scan) riskOf(code sbom.RiskCode, args []word, flags []string) {
	for _, a := range args {
		if slices.Contains(flags, a.text) {
			s.risk(code, a.at)
		}
	}
}

// maxName bounds the names that a configuration chooses, in bytes.
const maxName = 1_024

var variableName = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_.()-]*$`)

// name records an environment variable by its name.
func (s *scan) name(name string) {
	if len(name) > maxName || !variableName.MatchString(name) {
		name = sbom.Redacted
	}
	s.env = append(s.env, safeName(name))
}

// credential records something that the server is given, if its name or value
// says that it is a credential. kind stands before names that are none by
// themselves: "header ".
func (s *scan) credential(kind, name, value string) {
	if len(name) > maxName || nameStrength(name) < weak && !namedSecret(name, value) {
		return
	}
	s.named = append(s.named, kind+safeName(strings.TrimSpace(name)))
}

// credentials returns their names, sorted.
func (s *scan) credentials() []string {
	slices.Sort(s.named)
	s.named = slices.Compact(s.named)
	return s.named
}

// variable records an environment variable that the server is given.
func (s *scan) variable(name, value string, at place) {
	s.name(name)
	s.credential("", s.env[len(s.env)-1], value)
	if at.where == "" {
		at.where = `env "` + s.env[len(s.env)-1] + `"`
	}
	if variableSecret(name, value) {
		s.risk(sbom.RiskSecret, at)
	}
	if tlsOff(name, value) {
		s.risk(sbom.RiskInsecureRemote, at)
	}
	s.originVariable(name, value, at)
}

// words looks for credentials and dangerous flags among arguments.
func (s *scan) words(words []word) {
	for i, w := range words {
		switch {
		case w.text == "--allow-http" && staysHere(words):
		case slices.Contains(insecureFlags, w.text), slices.Contains(insecureSet, w.text):
			s.risk(sbom.RiskInsecureRemote, w.at)
		}
		if wordSecret(w.text) {
			s.risk(sbom.RiskSecret, w.at)
		}
		s.givenByOption(words, i)
		if i == 0 || !strings.HasPrefix(words[i-1].text, "-") || strings.Contains(words[i-1].text, "=") {
			continue
		}
		if !strings.HasPrefix(w.text, "-") && optionSecret(words[i-1].text, w.text) {
			s.risk(sbom.RiskSecret, w.at)
		}
	}
}

// wordSecret judges one argument by itself: --token=X, KEY=X, a URL with a
// password, a header, a known form of credential.
func wordSecret(text string) bool {
	name, value, ok := strings.Cut(text, "=")
	if ok && variableName.MatchString(strings.TrimLeft(name, "-")) {
		if strings.HasPrefix(name, "-") && optionSecret(name, value) || variableSecret(strings.TrimPrefix(name, "-e"), value) {
			return true
		}
	}
	if header, value, ok := strings.Cut(text, ":"); ok && headerName.MatchString(header) && headerSecret(header, value) {
		return true
	}
	return jsonSecret(text) || !strings.ContainsFunc(text, unicode.IsSpace) && valueSecret(text)
}

var (
	optionName  = lazyregexp.New(`^--[A-Za-z][A-Za-z0-9_.-]{0,60}$`)
	headerPlain = lazyregexp.New(`^[A-Za-z0-9-]{1,60}$`)
)

// givenByOption records the credentials that the word at i gives: --api-key X,
// --api-key=X, --header "X-Key: Y".
func (s *scan) givenByOption(words []word, i int) {
	name, value, hasValue := strings.Cut(words[i].text, "=")
	if !hasValue {
		if i+1 == len(words) || strings.HasPrefix(words[i+1].text, "-") {
			return
		}
		value = words[i+1].text
	}
	switch {
	case oneOf("-H --header --headers", name):
		if header, content, ok := strings.Cut(value, ":"); ok && headerPlain.MatchString(strings.TrimSpace(header)) {
			s.credential("header ", header, content)
		}
	case optionName.MatchString(name) && nameStrength(name) >= weak:
		s.credential("", name, "")
	}
}

var headerName = lazyregexp.New(`^(?i:(proxy-)?authorization|cookie|x-[a-z0-9-]*(key|token|secret|auth|pat)|[a-z0-9-]*api-?key|private-token)$`)

// optionSecret judges the value of an option.
func optionSecret(option, value string) bool {
	name := strings.TrimLeft(option, "-")
	switch strings.ToLower(name) {
	case "h", "header", "headers":
		header, value, ok := strings.Cut(value, ":")
		if !ok {
			header, value, ok = strings.Cut(value, "=")
		}
		return ok && headerSecret(strings.TrimSpace(header), value)
	case "e", "env":
		name, value, ok := strings.Cut(value, "=")
		return ok && variableSecret(name, value)
	}
	return len(name) > 1 && namedSecret(name, value)
}

// headerSecret judges a header. The scheme of an Authorization header is no
// part of the credential.
func headerSecret(name, value string) bool {
	value = strings.TrimSpace(value[:min(len(value), maxText)])
	lower := strings.ToLower(strings.TrimSpace(name))
	if lower == "authorization" || lower == "proxy-authorization" || lower == "cookie" {
		for _, scheme := range []string{"bearer ", "basic ", "token ", "apikey ", "digest "} {
			if len(value) >= len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) {
				value = strings.TrimSpace(value[len(scheme):])
				break
			}
		}
		if strings.EqualFold(value, "bearer") || strings.EqualFold(value, "basic") {
			return false
		}
		return !placeholder(value)
	}
	return namedSecret(name, value)
}

func variableSecret(name, value string) bool { return namedSecret(name, value) }

// namedSecret judges a value that has a name.
func namedSecret(name, value string) bool {
	value = strings.TrimSpace(value[:min(len(value), maxText)])
	name = name[:min(len(name), maxName)]
	if valueSecret(value) || isBearer(value) {
		return true
	}
	if placeholder(value) {
		return false
	}
	switch nameStrength(name) {
	case strong:
		return !harmless(value)
	case password:
		return !isSwitch(value)
	case weak:
		return !harmless(value) && len(value) >= 8 && (strings.ContainsAny(value, "0123456789") || len(value) >= 20) && !strings.ContainsAny(value, " \t")
	case connection:
		return strings.Contains(value, "@") && dsnPassword.MatchString(value)
	default:
		return false
	}
}

// isBearer reports whether a value is a scheme of HTTP with a credential behind it,
// which it is under any name: AUTH_HEADER=Bearer ….
func isBearer(value string) bool {
	m := bearer.FindStringSubmatch(value)
	return len(m) > 1 && !placeholder(m[1]) && (strings.ContainsAny(m[1], "0123456789") || len(m[1]) >= 20)
}

var (
	bearer     = lazyregexp.New(`^(?i:bearer|basic)\s+([A-Za-z0-9_~+/=.:-]{8,})$`)
	jsonMember = lazyregexp.New(`\\*"([A-Za-z0-9_.-]{1,60})\\*"\s*:\s*\\*"([^"\\]+)\\*"`)
)

// jsonSecret judges an argument that is JSON: --config '{"apiKey": "…"}'.
func jsonSecret(text string) bool {
	if !strings.Contains(text, `"`) || !strings.Contains(text, ":") {
		return false
	}
	return slices.ContainsFunc(jsonMember.FindAllStringSubmatch(text[:min(len(text), maxText)], -1), func(m []string) bool { return namedSecret(m[1], m[2]) })
}

type strength int

const (
	none       strength = iota
	weak                // KEY, AUTH, PAT: may as well name a sort key
	connection          // DSN: a credential may be inside
	strong              // TOKEN, SECRET, API_KEY
	password            // PASSWORD: even "1234" is one
)

// nameParts are the words of a name, in small letters: of API_KEY, api-key and
// apiKey "api" and "key".
func nameParts(name string) []string {
	b := make([]byte, 0, 2*len(name))
	var before rune
	for _, r := range name {
		if r >= 'A' && r <= 'Z' && (before >= 'a' && before <= 'z' || before >= '0' && before <= '9') {
			b = append(b, ' ')
		}
		before = r
		switch r = unicode.ToLower(r); {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, ' ')
		}
	}
	return strings.Fields(string(b))
}

// nameStrength says how much the name of a value says that it is a credential.
func nameStrength(name string) strength {
	parts := nameParts(name)
	if len(parts) == 0 {
		return none
	}
	if slices.Contains(aboutSecrets, parts[len(parts)-1]) || slices.Contains(parts, "public") || slices.Contains(parts, "max") {
		return none
	}
	if len(parts) > 1 && oneOf("tokens", parts[len(parts)-1]) {
		return none // MAX_TOKENS, CONTEXT_TOKENS
	}
	best := none
	for i, p := range parts {
		before := ""
		if i > 0 {
			before = parts[i-1]
		}
		switch {
		case oneOf("password passwd pwd passphrase passcode pass", p):
			best = max(best, password)
		case oneOf("token secret secrets credential credentials apikey apitoken authtoken accesstoken accesskey privatekey secretkey clientsecret bearer jwt cookie authorization", p),
			p == "key" && oneOf("api access private secret auth service account admin master signing encryption app application subscription license anon role openai anthropic", before),
			strings.HasSuffix(p, "apikey"), strings.HasSuffix(p, "token"), strings.HasSuffix(p, "password"):
			best = max(best, strong)
		case oneOf("dsn connection", p):
			best = max(best, connection)
		case oneOf("key auth pat sid signature otp", p):
			best = max(best, weak)
		}
	}
	return best
}

// aboutSecrets end names of what belongs to a credential and is none.
var aboutSecrets = set(`file path dir directory folder url uri endpoint limit limits count length size name names id type
	types method mode header headers enabled expiry expires expiration ttl timeout host port issuer audience scope
	scopes region env var provider algorithm prefix suffix format version interval lifetime seconds ms days
	budget window usage style strategy command cmd`)

var (
	number      = lazyregexp.New(`^[0-9]{1,9}([.,][0-9]+)?[a-z]{0,2}$`)
	pathLike    = lazyregexp.New(`^(~|\.{1,2}|[A-Za-z]:)?[\\/][^\s:]*$|^[^\s:/\\]+\.(pem|key|json|crt|cer|p12|pfx|txt|ya?ml|toml|env)$`)
	dsnPassword = lazyregexp.New(`^[^:@/\s]+:[^@\s]+@`)
	assigned    = lazyregexp.New(`(?i)(?:^|[;,\s?&])(?:password|pwd|accountkey|sharedaccesskey|sharedaccesssignature|accesskey|secret|client_secret|api_?key|access_?token|token)\s*=\s*([^;,\s&]+)`)
)

func isSwitch(value string) bool {
	return oneOf("true false yes no on off none null nil undefined 0 1 required optional enabled disabled", strings.ToLower(value))
}

// harmless reports whether a value that a name makes suspicious is none of the
// kind: a switch, a number, a path, a URL.
func harmless(value string) bool {
	return isSwitch(value) || number.MatchString(value) || strings.Contains(value, "://") ||
		pathLike.MatchString(value) && !sbom.LooksSecret(value[strings.LastIndexAny(value, `/\`)+1:]) ||
		oneOf("basic bearer oauth oauth2 oidc apikey api_key token jwt header query cookie auto default local env file keychain", strings.ToLower(value))
}

var plainUUID = lazyregexp.New(`(?i)^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$`)

// valueSecret judges a value by its form alone. UUIDs and commit ids are left to
// the name, since projects and revisions have them too.
func valueSecret(value string) bool {
	value = strings.TrimSpace(value)
	// A URL comes first: "example" in its host makes it no placeholder.
	if strings.Contains(value, "://") && !sources.MatchString(value) {
		return urlSecret(value)
	}
	if placeholder(value) {
		return false
	}
	if strings.ContainsAny(value, ";?&") {
		for _, m := range assigned.FindAllStringSubmatch(value, -1) {
			if !placeholder(m[1]) {
				return true
			}
		}
	}
	if strings.Contains(value, "-----BEGIN ") && strings.Contains(value, "PRIVATE KEY") {
		return true
	}
	if strings.ContainsAny(value, `/\@ `) && !jwtOrBearer.MatchString(value) {
		return false
	}
	return sbom.LooksSecret(value) && !plainUUID.MatchString(value) && !commit.MatchString(value[:min(len(value), 40)]+strings.Repeat("x", max(0, len(value)-40)))
}

var jwtOrBearer = lazyregexp.New(`^(?i:bearer\s+)?[A-Za-z0-9_~+/=.-]+$`)

var hostAndPort = lazyregexp.New(`^(\[[0-9A-Fa-f:.]*\]|[^:@]*):([0-9]*|[$%<{].*)$`)

// urlSecret reports whether a URL holds a literal credential: as userinfo, in
// the query, or as a part of the path that looks like one.
func urlSecret(raw string) bool {
	_, rest, ok := strings.Cut(sbom.PlainURL(raw), "://")
	if !ok {
		return false
	}
	rest, fragment, _ := strings.Cut(rest, "#")
	before, query, _ := strings.Cut(rest, "?")
	host := authority.FindString(before)
	if at := strings.LastIndex(before, "@"); at >= 0 && (strings.Contains(host, "@") || strings.Contains(host, ":") && !hostAndPort.MatchString(host)) {
		user := before[:at] // a password may hold a slash
		name, pass, hasPassword := strings.Cut(user, ":")
		if hasPassword && !placeholder(pass) || !hasPassword && !placeholder(name) && (sbom.LooksSecret(name) || len(name) >= 16) {
			return true
		}
	}
	for pair := range strings.FieldsFuncSeq(query+"&"+fragment, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(value); err == nil {
			value = decoded
		}
		if value != "" && !strings.Contains(value, "://") && (namedSecret(name, value) || !placeholder(value) && sbom.LooksSecret(value)) {
			return true
		}
	}
	path := before[len(host):]
	redacted := sbom.RedactURL("https://host" + path)
	return strings.Count(redacted, sbom.Redacted) > strings.Count(path, sbom.Redacted) && !placeholder(path)
}

var (
	variables = lazyregexp.New(`\$\{\{[^}]*\}\}|\$\{[^{}]*\}|\{\{[^}]*\}\}|\{[A-Za-z_][A-Za-z0-9_:.-]*\}|<[^<>]*>|%[A-Za-z_][A-Za-z0-9_]*%|\$\([^()]*\)|\$(env:)?[A-Z_][A-Z0-9_]*\b|\[[A-Za-z _-]*\]`)
	fallback  = lazyregexp.New(`\$\{((?:env:)?[A-Za-z_][A-Za-z0-9_]*):?[-=]([^{}]*)\}`)
	masked    = lazyregexp.New(`[xX]{4,}|[*•]{3,}|\.{3,}|…|#{4,}`)
	blanked   = lazyregexp.New(`^[xX*•.#_0-]{3,}$`)
	spoken    = lazyregexp.New(`(?i)(^|[^a-z])(your|insert|replace|enter|put|paste|change[-_ ]?me|changeit|redacted|masked|placeholder|example|dummy|sample|todo|tbd|fixme|goes[-_ ]here|here)([^a-z]|$)|^(your|my|test|fake|dummy|example|sample)[-_ ]?(\w+[-_ ])*(api|key|token|secret|password|pat|value)|(key|token|secret|password|value)[-_ ]here`)
	sources   = lazyregexp.New(`^(process\.env\b|os\.environ|op://|vault://|vault:|secret://|secrets?\.|keychain:|env:|file:|arn:aws:secretsmanager:|projects/[^/]+/secrets/)`)
)

// repeats is for masked what speaks is for spoken.
func repeats(text string) bool {
	if strings.ContainsAny(text, "•…") {
		return true
	}
	for i := 1; i < len(text); i++ {
		if strings.IndexByte("xX*.#", text[i]) >= 0 && strings.IndexByte("xX*.#", text[i-1]) >= 0 {
			return true
		}
	}
	return false
}

// speaks reports whether a text holds a word without which spoken does not match.
// To look for that is much faster, and most texts hold none.
func speaks(text string) bool {
	lower := strings.ToLower(text)
	return slices.ContainsFunc(spokenWords, func(w string) bool { return strings.Contains(lower, w) })
}

var spokenWords = set("your insert replace enter put paste change redacted masked placeholder example dummy sample todo tbd fixme here my test fake")

// placeholder reports whether a text only stands for a credential that comes
// from elsewhere, or for one that somebody is to fill in.
func placeholder(text string) bool {
	text = strings.Trim(strings.TrimSpace(text), `"'`)
	if text == "" || blanked.MatchString(text) || repeats(text) && masked.MatchString(text) || sources.MatchString(text) {
		return true
	}
	if strings.ContainsAny(text, "$<%[{") {
		for _, m := range fallback.FindAllStringSubmatch(text, -1) {
			if m[2] != "" && !placeholder(m[2]) && !harmless(m[2]) {
				return false // ${TOKEN:-the token itself}
			}
		}
		if variables.MatchString(text) {
			rest := strings.TrimSpace(variables.ReplaceAllString(text, " "))
			return !slices.ContainsFunc(strings.Fields(rest), sbom.LooksSecret)
		}
	}
	if speaks(text) && spoken.MatchString(text) {
		return !longRandom.MatchString(text)
	}
	return oneOf("none null nil undefined n/a na empty unset token key secret api_key apikey api-key", strings.ToLower(text))
}

// longRandom is what a placeholder made of words does not contain.
var longRandom = lazyregexp.New(`[0-9a-f]{24,}|[A-Za-z0-9]*[0-9][A-Za-z]+[0-9][A-Za-z]+[0-9][A-Za-z0-9]{8,}`)

// redact prepares a word for the inventory: a URL loses what RedactURL removes,
// and parts that look like credentials are replaced.
func redact(text string) string {
	if strings.Contains(text, "://") || looseScheme.MatchString(text) {
		return redactURL(text)
	}
	text = dropFallbacks(text)
	if rest, ok := strings.CutPrefix(text, "//"); ok { // a URL without its scheme
		authority, _, _ := strings.Cut(rest, "/")
		text = "//" + rest[strings.LastIndexByte(authority, '@')+1:]
	}
	if looksSecretPart(text) {
		var b strings.Builder
		start := 0
		for i := 0; i <= len(text); i++ {
			if i < len(text) && !strings.ContainsRune(partBreaks, rune(text[i])) {
				continue
			}
			part := text[start:i]
			if sbom.LooksSecret(part) {
				part = sbom.Redacted
			}
			b.WriteString(part)
			if i < len(text) {
				b.WriteByte(text[i])
			}
			start = i + 1
		}
		text = b.String()
		if sbom.LooksSecret(text) {
			return sbom.Redacted
		}
	}
	return text
}

// redactPath is redact for the path of a file, which some write with the query
// or fragment of a URL.
func redactPath(text string) string {
	text, _, _ = strings.Cut(text, "?")
	if i := strings.LastIndex(text, "#"); i >= 0 && !strings.ContainsAny(text[i:], `/\`) {
		text = text[:i]
	}
	return redact(text)
}

const partBreaks = `/\@:=#?&,; `

func looksSecretPart(text string) bool {
	return sbom.LooksSecret(text) || slices.ContainsFunc(strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(partBreaks, r) }), sbom.LooksSecret)
}

// redactURL is sbom.RedactURL for URLs that may hold variables: what a variable
// falls back to is a literal value.
func redactURL(raw string) string {
	return sbom.RedactURL(dropFallbacks(raw))
}

var looseScheme = lazyregexp.New(`(?i)^((?:git\+)?(?:https?|wss?|ssh)):[\\/]*`)

// dropFallbacks turns ${NAME:-value} into ${NAME}.
func dropFallbacks(text string) string { return fallback.ReplaceAllString(text, "$${$1}") }

// safeName shows a name that the configuration chose, unless it looks like a
// credential itself.
func safeName(name string) string {
	if len(name) > maxName || sbom.LooksSecret(name) {
		return sbom.Redacted
	}
	return name
}
