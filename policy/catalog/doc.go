// Package catalog knows the official sources of well-known MCP servers, and
// which package names look like theirs.
//
// In flow two embedded files, in which every entry names the page that documents
// it; [Embedded] reads them once, on first use. servers.yaml has the servers, with
// what people call them; packages.tsv has packages and images of which no more
// than the source is said. Out flow two answers about a package name: [Catalog.Source], the repository that the
// package of that very name comes from, and [Catalog.Lookalikes], the servers
// for which a package could be mistaken although it is not theirs. [Catalog.Find]
// and [Catalog.All] list entries for people.
//
// A catalogue may only tighten. That a package is not in it says nothing, and
// an entry never excuses what a policy would find. It lists names and places,
// no versions and no digests; it reaches no network. What packages.tsv lists frees
// no name of the suspicion that it imitates a server. The images that Docker
// builds (docker.io/mcp/*) are listed with the source that Docker built them from;
// only a signature that certifies this very repository proves them.
//
// Maintainers compare the npm entries with the registry by the command in recheck
// (make catalog), which stamps the day into those that agree. An entry without that
// day says so: nobody has asked a registry about it.
//
// # What looks alike
//
// A package looks like a server's where it is not that server's own, its npm
// scope is none that the vendor owns, and one of these holds:
//
//   - the same name, after folding case, separators, the order of words,
//     confusable letters (0 and o, 1 and l and i, rn and m) and words that
//     distinguish nothing (server, official, js, …), in this or another ecosystem;
//   - one typing error in the name, two in long ones;
//   - a scope that imitates one of the vendor's (@playwrite, @micros0ft);
//   - a brand of the server, or one typing error away from it, together with
//     "mcp" and nothing else (postmark-mcp, mcp-postmark).
//
// For a package that an MCP server launches, further words between the brand
// and "mcp" do not help it (postmark-email-mcp), and the bare brand is enough.
// For an ordinary dependency they do, since thousands of honest packages carry
// a vendor's name.
//
// Images and Go modules carry their owner in their name. Theirs is compared
// with the owner of the official repository.
package catalog
