package closure

import "encoding/json"

// MarshalJSON writes the packument as a registry would, with what resolving needs
// alone, so that the same packument gives the same bytes.
func (p *Packument) MarshalJSON() ([]byte, error) {
	versions := make(map[string]document, len(p.Versions))
	for key, m := range p.Versions {
		versions[key] = m.document()
	}
	return json.Marshal(struct {
		Name     string              `json:"name"`
		Tags     map[string]string   `json:"dist-tags"`
		Versions map[string]document `json:"versions"`
	}{p.Name, p.Tags, versions})
}

// document is a version as it stands in a packument.
type document struct {
	Name       string              `json:"name"`
	Version    string              `json:"version"`
	Prod       ordered             `json:"dependencies,omitempty"`
	Optional   ordered             `json:"optionalDependencies,omitempty"`
	Peers      ordered             `json:"peerDependencies,omitempty"`
	PeerMeta   map[string]peerMeta `json:"peerDependenciesMeta,omitempty"`
	Bundled    any                 `json:"bundleDependencies,omitempty"`
	Bins       map[string]string   `json:"bin,omitempty"`
	License    string              `json:"license,omitempty"`
	Engines    map[string]string   `json:"engines,omitempty"`
	OS         []string            `json:"os,omitempty"`
	CPU        []string            `json:"cpu,omitempty"`
	Libc       []string            `json:"libc,omitempty"`
	Deprecated string              `json:"deprecated,omitempty"`
	Script     bool                `json:"hasInstallScript,omitempty"`
	Shrinkwrap bool                `json:"_hasShrinkwrap,omitempty"`
	Dist       map[string]string   `json:"dist"`
}

type peerMeta struct {
	Optional bool `json:"optional"`
}

func (m *Manifest) document() document {
	d := document{
		Name: m.Name, Version: m.Version, Prod: m.Dependencies, Optional: m.Optional, Peers: m.Peers,
		License: m.License, OS: m.OS, CPU: m.CPU, Libc: m.Libc, Deprecated: m.Deprecated, Script: m.InstallScript, Shrinkwrap: m.Shrinkwrap,
		Engines: map[string]string{}, Dist: map[string]string{"tarball": m.Tarball},
	}
	if m.Invalid != "" {
		d.Dist["tarball"] = "" // who reads it takes it for invalid, too
	}
	for name, engine := range map[string]string{"node": m.Node, "npm": m.NPM} {
		if engine != "" {
			d.Engines[name] = engine
		}
	}
	for _, b := range m.Bins {
		if d.Bins == nil {
			d.Bins = map[string]string{}
		}
		d.Bins[b.Name] = b.File
	}
	if m.Integrity != "" {
		d.Dist["integrity"] = m.Integrity
	}
	for name := range m.OptionalPeer {
		if d.PeerMeta == nil {
			d.PeerMeta = map[string]peerMeta{}
		}
		d.PeerMeta[name] = peerMeta{true}
	}
	switch {
	case m.BundlesAll:
		d.Bundled = true
	case len(m.Bundled) > 0:
		d.Bundled = m.Bundled
	}
	return d
}

// ordered are dependencies as an object, in their order.
type ordered []Dependency

// MarshalJSON writes the object.
func (o ordered) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, d := range o {
		if i > 0 {
			out = append(out, ',')
		}
		for j, text := range []string{d.Name, d.Spec} {
			quoted, err := plainJSON(text)
			if err != nil {
				return nil, err
			}
			if j > 0 {
				out = append(out, ':')
			}
			out = append(out, quoted...)
		}
	}
	return append(out, '}'), nil
}
