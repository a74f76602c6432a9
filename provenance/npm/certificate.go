package npm

import (
	"cmp"
	"crypto/tls"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"countermark/provenance/fetch"
	"countermark/sbom"
)

// Certificates are the user's own for TLS, each for one registry. They print as
// REDACTED.
type Certificates struct {
	bound   map[string]*tls.Certificate // by what stands before :certfile or :cert
	general *tls.Certificate            // that of cert and key, which name no registry
}

// String hides them.
func (*Certificates) String() string { return sbom.Redacted }

// GoString hides them.
func (c *Certificates) GoString() string { return c.String() }

// The names of a client certificate and its key behind "//host/:": files, and in
// older configurations the PEM text itself.
var certificateNames = map[string]bool{"certfile": true, "keyfile": true, "cert": true, "key": true}

// certificatePairs are which of these belong together, the first that is there
// counts.
var certificatePairs = []struct {
	cert, key string
	files     bool
}{{"certfile", "keyfile", true}, {"cert", "key", false}}

// certified reports whether the key has a certificate with its private key.
func (c *Config) certified(key string) bool {
	for _, pair := range certificatePairs {
		if c.tls[key+":"+pair.cert].value() != "" && c.tls[key+":"+pair.key].value() != "" {
			return true
		}
	}
	return false
}

// Certificates reads the client certificates of the user's configuration:
// //host/path/:certfile with keyfile for what is below that path, cert and key for
// the default registry, where the user's own configuration names it. The
// project's file names none. readFile reads their files; os.ReadFile will do. The
// error is a *ConfigError, and quotes nothing of them.
func (c *Config) Certificates(readFile func(name string) ([]byte, error)) (*Certificates, error) {
	out := &Certificates{bound: map[string]*tls.Certificate{}}
	for _, setKey := range slices.Sorted(maps.Keys(c.tls)) {
		_, prefix, _, _ := nerfKey(setKey)
		if out.bound[prefix] != nil || !c.certified(prefix) {
			continue
		}
		for _, pair := range certificatePairs {
			cert, key := c.tls[prefix+":"+pair.cert], c.tls[prefix+":"+pair.key]
			if cert.value() == "" || key.value() == "" {
				continue
			}
			parsed, err := c.keyPair(cert, key, pair.files, readFile)
			if err != nil {
				return nil, err
			}
			out.bound[prefix] = parsed
			break
		}
	}
	cert, key := c.network["cert"], c.network["key"]
	if cert.value() == "" || key.value() == "" {
		return out, nil
	}
	var err error
	out.general, err = c.keyPair(cert, key, false, readFile)
	return out, err
}

func (c *Config) keyPair(cert, key setting, files bool, readFile func(string) ([]byte, error)) (*tls.Certificate, error) {
	var texts [2][]byte
	for i, s := range []setting{cert, key} {
		what := []string{"the client certificate", "its private key"}[i]
		if !files {
			// Environment variables and unquoted lines hold \n for a line break.
			texts[i] = []byte(strings.ReplaceAll(s.value(), `\n`, "\n"))
			continue
		}
		var err error
		if texts[i], err = c.authorityFile(s, what, readFile); err != nil {
			return nil, err
		}
	}
	parsed, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return nil, cert.errorf("give the certificate and its private key in PEM, without a passphrase", "the client certificate and its private key cannot be used together")
	}
	return &parsed, nil
}

// loneCertificates warns of halves, which nothing can be done with.
func (b *configBuilder) loneCertificates() {
	lone := func(have, want setting, key, other string) {
		if have.value() != "" && want.value() == "" {
			b.warn(Issue{
				Path: have.path, Line: have.line, Key: redactKey(key), Message: "stands without " + other + ", so no client certificate is sent",
				Fix: "set both, or none",
			})
		}
	}
	for _, setKey := range slices.Sorted(maps.Keys(b.c.tls)) {
		s := b.c.tls[setKey]
		_, prefix, name, _ := nerfKey(setKey)
		for _, pair := range certificatePairs {
			if name == pair.cert {
				lone(s, b.c.tls[prefix+":"+pair.key], setKey, pair.key)
			}
			if name == pair.key {
				lone(s, b.c.tls[prefix+":"+pair.cert], setKey, pair.cert)
			}
		}
	}
	cert, key := b.c.network["cert"], b.c.network["key"]
	lone(cert, key, "cert", "key")
	lone(key, cert, "key", "cert")
	if r := b.c.registries["registry"]; cert.value() != "" && key.value() != "" && (r.url == nil || r.project != "") {
		b.warn(Issue{
			Path: cert.path, Line: cert.line, Key: "cert", Message: "is bound to no registry, and the user's own configuration names no default one: it is sent to nobody",
			Fix: "write //host/:certfile and //host/:keyfile, or name the registry",
		})
	}
}

// certificate returns what is sent to a URL, nil for none.
func (c *Config) certificate(from *Certificates, u *url.URL) *tls.Certificate {
	if u.Scheme != "https" || from == nil {
		return nil
	}
	if bound := from.bound[c.holder(u)]; bound != nil {
		return bound
	}
	r := c.registries["registry"]
	if from.general == nil || r.url == nil || r.project != "" {
		return nil
	}
	if r.url.Scheme == u.Scheme && r.url.Host == fetch.Host(u) && strings.HasPrefix(u.EscapedPath(), r.url.EscapedPath()) {
		return from.general
	}
	return nil
}

// certifiedPools are connections apart from all others, since a certificate
// belongs to a connection, and a path of a host may have one of its own.
func certifiedPools(from *Certificates, base http.RoundTripper) map[*tls.Certificate]http.RoundTripper {
	pools := map[*tls.Certificate]http.RoundTripper{}
	transport, ok := base.(*http.Transport)
	if from == nil || !ok {
		return pools
	}
	add := func(certificate *tls.Certificate) {
		if certificate == nil {
			return
		}
		own := transport.Clone()
		own.TLSClientConfig = cmp.Or(own.TLSClientConfig, &tls.Config{MinVersion: tls.VersionTLS12})
		own.TLSClientConfig.Certificates = []tls.Certificate{*certificate}
		pools[certificate] = own
	}
	for _, certificate := range from.bound {
		add(certificate)
	}
	add(from.general)
	return pools
}

// pool is over which connections a URL is asked with the user's credentials.
func (c *Client) pool(u *url.URL) http.RoundTripper {
	if own := c.certified[c.Config.certificate(c.Certificates, u)]; own != nil {
		return own
	}
	return c.http.Transport
}

// secret reports whether the user's credentials are sent along to a URL.
func (c *Client) secret(u *url.URL) bool {
	return c.Config.Credentials(u).Authorization() != "" || c.Config.certificate(c.Certificates, u) != nil
}
