package npm

import "countermark/provenance"

// ConfiguredRegistry returns the URL of the registry that is configured for the
// subject, redacted; "" where its line is refused. Nobody is asked.
func (c *Config) ConfiguredRegistry(s provenance.Subject) string {
	u, err := c.Registry(s.Name)
	if err != nil {
		return ""
	}
	return shown(u)
}

// ConfiguredRegistry implements provenance.Registrar.
func (c *Client) ConfiguredRegistry(s provenance.Subject) string {
	c.once.Do(c.start)
	return c.Config.ConfiguredRegistry(s)
}
