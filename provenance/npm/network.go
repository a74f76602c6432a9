package npm

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"countermark/provenance/fetch"
)

// Limits of the connection pool.
const (
	maxConnsPerHost   = 32
	maxHeaderBytes    = 64 << 10
	idleConnTimeout   = 90 * time.Second
	tlsTimeout        = 10 * time.Second
	maxAuthorityBytes = 8 << 20 // of a cafile; the largest system bundles have under 1 MB
)

// Transport returns the connection pool that the user's configuration asks for:
// its proxy and its certificate authorities, which replace the system's as they
// do for npm. Certificates are always verified. readFile reads the file that
// cafile (or NODE_EXTRA_CA_CERTS) names; os.ReadFile will do. The error is a
// *ConfigError.
func (c *Config) Transport(readFile func(name string) ([]byte, error)) (*http.Transport, error) {
	roots, err := c.authorities(readFile)
	if err != nil {
		return nil, err
	}
	proxy, err := c.proxy()
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                  proxy,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    maxConnsPerHost,
		MaxConnsPerHost:        maxConnsPerHost,
		MaxResponseHeaderBytes: maxHeaderBytes,
		IdleConnTimeout:        idleConnTimeout,
		TLSHandshakeTimeout:    tlsTimeout,
		OnProxyConnectResponse: fetch.CheckProxy,
	}, nil
}

// authorities returns nil for the system's.
func (c *Config) authorities(readFile func(string) ([]byte, error)) (*x509.CertPool, error) {
	if s := c.network["cafile"]; s.value() != "" {
		pem, err := c.authorityFile(s, "cafile", readFile)
		if err != nil {
			return nil, err
		}
		return pool(x509.NewCertPool(), s, "cafile", pem)
	}
	if s := c.network["ca"]; s.value() != "" {
		return pool(x509.NewCertPool(), s, "ca", []byte(strings.Join(s.values, "\n")))
	}
	const extra = "NODE_EXTRA_CA_CERTS"
	if name := c.folded[strings.ToLower(extra)]; name != "" {
		s := setting{values: []string{name}, path: extra}
		system, err := x509.SystemCertPool()
		if err != nil {
			return nil, s.errorf("name all authorities with cafile instead", "the system's certificate authorities cannot be read: %v", err)
		}
		pem, err := c.authorityFile(s, "the file", readFile)
		if err != nil {
			return nil, err
		}
		return pool(system, s, "the file", pem)
	}
	return nil, nil
}

func (c *Config) authorityFile(s setting, what string, readFile func(string) ([]byte, error)) ([]byte, error) {
	pem, err := readFile(inHome(s.value(), c.home))
	if err != nil {
		return nil, s.errorf("correct the path, or remove the setting", "%s: cannot be read: %v", what, err)
	}
	if len(pem) > maxAuthorityBytes {
		return nil, s.errorf("name a file with certificates only", "%s: is larger than %d bytes", what, maxAuthorityBytes)
	}
	return pem, nil
}

func pool(p *x509.CertPool, s setting, what string, pem []byte) (*x509.CertPool, error) {
	if !p.AppendCertsFromPEM(pem) {
		return nil, s.errorf(`give certificates in PEM; in a .npmrc line quoted, with \n for each line break`, "%s: holds no certificate", what)
	}
	return p, nil
}

// proxy returns the function that picks the proxy of a request. As in npm,
// https-proxy beats proxy for every request, both beat the environment, and
// HTTPS_PROXY is used for http: too.
func (c *Config) proxy() (func(*http.Request) (*url.URL, error), error) {
	var forHTTPS, forHTTP *url.URL
	for _, key := range []string{"https-proxy", "proxy"} {
		u, err := parseProxy(c.network[key], key)
		if err != nil {
			return nil, err
		}
		if u != nil {
			forHTTPS, forHTTP = u, u
			break
		}
	}
	if forHTTPS == nil {
		for _, name := range []string{"https_proxy", "http_proxy", "proxy"} {
			if c.folded[name] == "" {
				continue
			}
			u, err := parseProxy(setting{values: []string{c.folded[name]}, path: strings.ToUpper(name)}, "the proxy")
			if err != nil {
				return nil, err
			}
			if name == "https_proxy" {
				forHTTPS = u
			}
			if forHTTP == nil {
				forHTTP = u
			}
		}
	}
	pick := (&httpproxy.Config{HTTPProxy: urlText(forHTTP), HTTPSProxy: urlText(forHTTPS), NoProxy: c.noProxy()}).ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return pick(r.URL) }, nil
}

func urlText(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}

// parseProxy returns nil where the setting names none.
func parseProxy(s setting, what string) (*url.URL, error) {
	raw := s.value()
	if raw == "" || raw == "false" {
		return nil, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		return nil, s.errorf("write http://host:port, https://host:port or socks5://host:port", "%s: is no proxy's URL", what)
	}
	return u, nil
}

// noProxy lists who is asked directly, in the form of package httpproxy: hosts
// with all below them, *.host for those below alone, addresses, networks (CIDR),
// each with a port or without, or * for everybody. As in npm a dot before or
// behind a host means nothing. This machine itself is always asked directly.
func (c *Config) noProxy() string {
	list := c.network["noproxy"].values
	if c.network["noproxy"].value() == "" {
		list = []string{c.folded["no_proxy"]}
	}
	var out []string
	for _, s := range list {
		for entry := range strings.SplitSeq(s, ",") {
			entry = strings.Trim(trim(entry), ".")
			if bare, ok := strings.CutPrefix(entry, "["); ok && strings.HasSuffix(bare, "]") {
				entry = strings.TrimSuffix(bare, "]")
			}
			out = append(out, entry)
		}
	}
	return strings.Join(out, ",")
}
