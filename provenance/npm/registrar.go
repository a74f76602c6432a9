package npm

import (
	"errors"

	"countermark/provenance"
)

var _ provenance.Registrar = (*Client)(nil)

// ConfiguredRegistry returns the URL of the registry that is configured for the
// subject, redacted. The error is a *provenance.RegistryError where its line is
// refused. Nobody is asked.
func (c *Config) ConfiguredRegistry(s provenance.Subject) (string, error) {
	u, err := c.Registry(s.Name)
	if err != nil {
		return "", registryError(err)
	}
	return shown(u), nil
}

// ConfiguredRegistry implements provenance.Registrar.
func (c *Client) ConfiguredRegistry(s provenance.Subject) (string, error) {
	c.once.Do(c.start)
	return c.Config.ConfiguredRegistry(s)
}

// registryError puts what Config.Registry refuses into words for a result.
func registryError(err error) *provenance.RegistryError {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return &provenance.RegistryError{Reason: refused.Error(), Hint: refused.Issue.Fix}
	}
	return &provenance.RegistryError{Reason: err.Error(), Hint: "correct the configuration"}
}
