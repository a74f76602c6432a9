package mcp

import (
	"net/netip"
	"net/url"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// remote is a server that is spoken to over the network.
func (s *scan) remote(w word) subject {
	shown := redactRemote(w.text)
	service := &sbom.Service{Ref: "service:" + shown, Name: serviceName(shown)}
	if isIRI(shown) {
		service.Endpoint = shown
	} else {
		service.URL = shown
	}
	if urlSecret(schemed(w.text)) {
		s.risk(sbom.RiskSecret, w.at)
	}
	if insecure(w.text) {
		s.risk(sbom.RiskInsecureRemote, w.at)
	}
	return subject{at: w.at, service: service, launch: sbom.Launch{Kind: sbom.KindRemote, Pin: sbom.PinNA, Spec: shown}}
}

// redactRemote is redactURL for what stands where a URL is expected, also where
// it has no scheme. Clients may put one before it, and then it has userinfo, too.
func redactRemote(raw string) string {
	if full := schemed(raw); full != raw {
		return strings.TrimPrefix(redactURL(full), noScheme)
	}
	return redactURL(raw)
}

const noScheme = "https://"

var withoutScheme = lazyregexp.New(`^[\\/\s]*`)

// schemed puts a scheme before a URL that has none, and a user in it.
func schemed(raw string) string {
	plain := sbom.PlainURL(raw)
	if strings.Contains(plain, "://") || !strings.ContainsAny(plain, "@?#") && !strings.HasPrefix(plain, "/") {
		return raw
	}
	return noScheme + plain[len(withoutScheme.FindString(plain)):]
}

// serviceName is the host, which is what people know a service by.
func serviceName(shown string) string {
	_, rest, ok := strings.Cut(shown, "://")
	if !ok {
		return shown
	}
	host, _, _ := strings.Cut(rest, "/")
	if host == "" {
		return shown
	}
	return host
}

// notInIRI are the ASCII characters that RFC 3987 allows nowhere.
var notInIRI = lazyregexp.New("[\\x00-\\x20\\x7f\"<>\\\\^`{|}]|%(?:[^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)")

// isIRI reports whether a URL can stand as the endpoint of a CycloneDX service.
func isIRI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != "" && !notInIRI.MatchString(s)
}

// transportOf is the transport of a URL whose entry does not tell: clients try
// streamable HTTP first.
func transportOf(raw string) string {
	scheme, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(raw)), ":")
	if scheme == "ws" || scheme == "wss" {
		return "ws"
	}
	return "http"
}

var (
	plainScheme   = lazyregexp.New(`(?i)^(http|ws)://`)
	authority     = lazyregexp.New(`^[^/?#]*`)
	thisMachine   = lazyregexp.New(`(?i)^(localhost|.*\.localhost|host\.docker\.internal|gateway\.docker\.internal|host\.containers\.internal)\.?$`)
	trailingPort  = lazyregexp.New(`:([0-9]*|\$\{.*|\$[A-Za-z_].*|<.*|\{.*|%[A-Za-z].*)$`)
	placeholders  = lazyregexp.New(`\$\{[^}]*\}`)
	insecureFlags = set("--insecure-skip-tls-verify --insecure-skip-verify --tls-skip-verify --skip-tls-verify --no-verify-ssl --no-verify-tls --no-check-certificate --ssl-no-verify --disable-ssl-verification --allow-http")
	insecureSet   = set("--strict-ssl=false --no-strict-ssl --verify-ssl=false --ssl-verify=false --tls-verify=false --reject-unauthorized=false")
)

// insecure reports whether a URL is plain text to another machine. A host that a
// variable names is another machine until somebody shows that it is not.
func insecure(raw string) bool {
	raw = sbom.PlainURL(raw)
	m := plainScheme.FindString(raw)
	if m == "" {
		return false
	}
	host := authority.FindString(raw[len(m):])
	if i := strings.LastIndex(host, "@"); i >= 0 {
		host = host[i+1:]
	}
	if v := placeholders.FindString(host); v == "" || !strings.HasPrefix(host, v) {
		host = trailingPort.ReplaceAllString(host, "")
	}
	if thisMachine.MatchString(host) {
		return false
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err != nil || !addr.IsLoopback() && !addr.IsUnspecified()
}

// staysHere reports whether all URLs among the words are plain http to this
// machine, so that an option which allows that allows nothing else.
func staysHere(words []word) bool {
	here := false
	for _, w := range words {
		switch {
		case insecure(w.text):
			return false
		case plainScheme.MatchString(sbom.PlainURL(w.text)):
			here = true
		case strings.Contains(w.text, "://") || isVariable(w.text):
			return false
		}
	}
	return here
}

// tlsOff reports whether an environment variable turns the check of
// certificates off.
func tlsOff(name, value string) bool {
	value = strings.ToLower(strings.TrimSpace(value))
	off := value == "0" || value == "false" || value == "no"
	on := value == "1" || value == "true" || value == "yes"
	switch strings.ToUpper(name) {
	case "NODE_TLS_REJECT_UNAUTHORIZED", "PYTHONHTTPSVERIFY", "NPM_CONFIG_STRICT_SSL":
		return off
	case "GIT_SSL_NO_VERIFY", "UV_INSECURE_NO_TLS_VERIFY":
		return on
	default:
		return false
	}
}
