package node

import "countermark/sbom"

// useOf says for what something is installed, by npm's rule, from how the
// project's own folders lead to it: at all; by production edges, be they optional
// (shipped); by such as are not optional (required); by any edges that are not
// optional (needed).
func useOf(reached, shipped, required, needed bool) sbom.Use {
	return sbom.Use{
		Development: reached && !shipped,
		Optional:    reached && (!needed || shipped && !required),
		DevOptional: shipped && needed && !required,
	}
}
