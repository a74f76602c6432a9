// Package countermark is the module's front page. It holds no code, only the
// tests of the rules that hold for the whole tree (house_test.go).
//
// The program answers one question for a release pipeline: does everything that
// this project, and the AI agents around it, would run come from where it
// should? It reads lockfiles and MCP client configurations, writes them down as
// a CycloneDX SBOM, proves the origin of packages by their sigstore
// attestations, compares it with the source repository that is expected, and
// says pass or fail.
//
// Data flows straight through, one room after the other:
//
//	files ──► sbom.Inventory ──► provenance.Result ──► policy.Verdict ──► reports
//
// Imports go the other way round, and only that way: cmd → policy → provenance
// → sbom.
//
//	cmd/countermark     one file a command: flags in, library call, output out
//	sbom                the inventory, and CycloneDX
//	  sbom/node         lockfiles → inventory
//	  sbom/mcp          MCP client configurations, and launches in scripts → inventory
//	    sbom/mcp/lock   mcp.lock.json, and what differs from it
//	  sbom/closure      what npm would install for a launch
//	  sbom/bom          CycloneDX of any tool, read, converted and merged
//	  sbom/diff         two documents → what differs
//	  sbom/score        a document → what NTIA, CISA and BSI miss in it
//	  sbom/jsonstream   large JSON of strangers, in pieces
//	  sbom/visible      foreign text → text that can be shown
//	provenance          subjects, expectations, states: the verifier
//	  provenance/subject what people name to be verified
//	  provenance/npm    the npm registry, and where its attestations are found
//	    provenance/npm/npmrc    the .npmrc files that govern a run
//	  provenance/pypi   Python indexes, and PEP 740
//	  provenance/oci    container registries, and their referrers
//	  provenance/git    which commit a branch or tag is
//	  provenance/selection what launches of MCP servers select today
//	  provenance/goproxy which version of a Go module a query selects
//	  provenance/layout in-toto layouts and links
//	  provenance/fetch  one document of a server that may be hostile
//	  provenance/cache  what registries answered, kept and verified again
//	  provenance/trust  the trusted root and the npm keys
//	policy              the policy file, the rules, the verdict
//	  policy/advisory   known-malicious versions
//	  policy/catalog    the official sources of well-known servers
//	  policy/report     a verdict as text, JSON, SARIF
//	schemas             JSON Schemas of what is read and written
//
// No stage reaches back, prints or exits. What a stage needs of the world (a
// file system, an HTTP client, a clock, the environment) comes to it as a value,
// so that each can be used as a library and tested alone.
//
// Two promises explain most of the decisions in the code. Everything that is
// read is hostile: it is bounded, named with its line when it is broken, and
// made harmless before it is shown. And the gate fails closed: what it does not
// know is never a pass, and what is configured is never dropped in silence.
//
// To read on, start with the package comments of sbom, provenance and policy, in
// this order. To change something, start with CONTRIBUTING.md.
package countermark
