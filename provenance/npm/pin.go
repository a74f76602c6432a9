package npm

import (
	"fmt"
	"slices"

	"countermark/provenance"
	"countermark/provenance/trust"
)

// PinKeys says whose keys the material holds. The embedded ones are the public
// registry's, and nobody else's. Those that the user names alone are the configured
// registry's; where that is not the public one, that keeps its embedded keys for
// the scopes that name it. Those that are named with a registry are that one's, and
// nobody else's. The error is a [*ConfigError].
func (c *Config) PinKeys(m *trust.Material) error {
	embedded, err := trust.Embedded()
	if err != nil {
		return err
	}
	public, given, others := *embedded.Keys, *m.Keys, slices.Clone(m.OtherKeys)
	filed := given.Source == trust.SourceFile
	if !filed {
		public = given
	}
	public.Registry = PublicRegistry
	if i := slices.IndexFunc(others, func(k *trust.Keys) bool { return OnPublicRegistry(k.Registry) }); i >= 0 {
		public = *others[i]
		others = slices.Delete(others, i, i+1)
	}
	// A project's line that is refused has its packages asked of nobody: the keys are
	// then nobody's, and by no means those of a scope's registry.
	m.Keys = &public
	if filed {
		if registry, err := c.ConfiguredRegistry(provenance.Subject{}); err == nil {
			given.Registry = registry
			m.Keys = &given
		}
	}
	if m.Keys == &given && (!OnPublicRegistry(given.Registry) || public.Source == trust.SourceFile) {
		others = append(others, &public)
	}
	m.OtherKeys = others
	return pinnedOnce(m)
}

// pinnedOnce refuses two sets of keys for one registry: nobody knows which is meant.
func pinnedOnce(m *trust.Material) error {
	all := append([]*trust.Keys{m.Keys}, m.OtherKeys...)
	for i, k := range all {
		if slices.ContainsFunc(all[:i], func(before *trust.Keys) bool { return provenance.SameRegistry(before.Registry, k.Registry) }) {
			return &ConfigError{Path: "--npm-keys", Message: fmt.Sprintf("gives the keys of %s twice", k.Registry), Hint: "give each registry's keys once"}
		}
	}
	return nil
}
