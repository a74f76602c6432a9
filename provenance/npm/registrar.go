package npm

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"countermark/provenance"
	"countermark/sbom"
)

var _ provenance.Registrar = (*Client)(nil)

// ConfiguredRegistry returns the URL of the registry that the subject comes from,
// redacted. The error is a *provenance.RegistryError where its line is refused, or
// its launch names one that nobody trusts. Nobody is asked.
func (c *Config) ConfiguredRegistry(s provenance.Subject) (string, error) {
	return Registrar{Config: c}.ConfiguredRegistry(s)
}

// ConfiguredRegistry implements provenance.Registrar.
func (c *Client) ConfiguredRegistry(s provenance.Subject) (string, error) {
	c.once.Do(c.start)
	return Registrar{c.Config, c.Registries}.ConfiguredRegistry(s)
}

// Registrar knows from which registry a subject comes, and asks none.
type Registrar struct {
	Config  *Config
	Trusted []string // URLs of registries, beside those of the user's own configuration
}

// ConfiguredRegistry implements provenance.Registrar.
func (r Registrar) ConfiguredRegistry(s provenance.Subject) (string, error) {
	u, err := r.registry(s)
	if err != nil {
		return "", registryError(err)
	}
	return r.Config.shown(u), nil
}

// registry returns the configured registry, or the one that the subject's launches
// name. What a launch names is asked only where the user or the policy trusts it;
// and where several are named, no answer of one is the truth about another.
func (r Registrar) registry(s provenance.Subject) (*url.URL, error) {
	configured, err := r.Config.Registry(s.Name)
	if len(s.Registries) == 0 {
		return configured, err
	}
	var from *url.URL
	for _, raw := range s.Registries {
		u := configured
		if raw != "" {
			u, err = r.launch(raw)
		}
		switch {
		case err != nil:
			return nil, err
		case from != nil && from.String() != u.String():
			return nil, &provenance.RegistryError{
				Reason: "its launches choose different registries, " + r.Config.shown(from) + " and " + r.Config.shown(u) + "; nobody was asked",
				Hint:   "launch it from one registry, best the one that the user's own .npmrc names",
			}
		}
		from = u
	}
	return from, nil
}

// launch returns the registry that a launch names.
func (r Registrar) launch(raw string) (*url.URL, error) {
	u, err := parseRegistry(raw)
	if err == nil && !strings.Contains(raw, sbom.Redacted) && u.User == nil && below(u, r.Config.Trusted(), r.Trusted) {
		return u, nil
	}
	return nil, &provenance.RegistryError{
		Reason: "its launch chooses the registry " + sbom.RedactURL(raw) + ", which neither the user nor the policy trusts; nobody was asked",
		Hint:   "leave the registry out of the launch, or name it under registries in the policy or in the user's own .npmrc if it is right",
	}
}

// below reports whether a registry is one of the lists', or below one.
func below(u *url.URL, lists ...[]string) bool {
	return slices.ContainsFunc(slices.Concat(lists...), func(raw string) bool {
		own, err := parseRegistry(raw)
		return err == nil && u.Scheme == own.Scheme && u.Host == own.Host && strings.HasPrefix(u.EscapedPath(), own.EscapedPath())
	})
}

// registryError puts what Config.Registry refuses into words for a result.
func registryError(err error) *provenance.RegistryError {
	if known, ok := errors.AsType[*provenance.RegistryError](err); ok {
		return known
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return &provenance.RegistryError{Reason: refused.Error(), Hint: refused.Issue.Fix}
	}
	return &provenance.RegistryError{Reason: err.Error(), Hint: "correct the configuration"}
}
