// Package sbom is the inventory: what a project and the agents around it would
// run, before anybody judges it.
//
// In flow files: [Scan] walks one or more trees, asks each [Reader] which files
// are its own (sbom/node reads lockfiles, sbom/mcp reads MCP client
// configurations) and lets it add instances and edges to a [Builder]. Out
// flows an [Inventory]: one [Component] for each name and version of an
// ecosystem, the configured servers, the remote [Service]s, the edges between
// them, and one [Input] for each file with everything that was wrong with it.
// [WriteCycloneDX] turns an inventory into a CycloneDX document.
//
// Three promises hold for everything in here:
//
//   - The same input gives the same bytes, on every machine: nothing depends on
//     the clock, on map order, or on where the tree stands.
//   - A broken input never erases the rest: it becomes a [Problem] of its
//     [Input], and what was readable is still in the inventory.
//   - No secret enters: arguments, header values and environment values are
//     never stored, and every URL passes [RedactURL] before it is.
//
// The package reaches no network and starts nothing.
package sbom
