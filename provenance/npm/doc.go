// Package npm asks npm registries for attestations, with the configuration that
// npm itself would use.
//
// In flow the .npmrc files, the environment and the --registry flag, all as data
// ([ParseNpmrc], [Sources]): the package reads no file and no environment by
// itself. [NewConfig] merges them into a [Config], which knows the registry of
// each package, the credentials for each URL, and how the network is reached.
// A [Client] with that configuration is a provenance.Source. Out flow bundles as
// raw bytes, not yet believed, or the reason why there are none.
//
// Two things differ from npm, because the project under test may be a
// stranger's pull request. The project's .npmrc names registries and scopes and
// nothing else: whatever else it tries is an [Issue], and is not obeyed. And a
// registry line of the project that is refused is not replaced by another
// registry: its packages are asked of nobody, so that no private name reaches a
// registry that was never meant to hear it.
//
// A package's metadata (its packument) is read as a stream, and comes with the
// answer: integrity, signatures, when and by whom the version was published, and
// the same of all others. Absence is an answer only where the registry can give
// one. A registry that publishes signing keys and whose packument promises no
// attestations answers provenance.None; one without keys, or one that promises
// what it does not serve, answers provenance.NoSupport; everything else, a
// package that does not exist included, is provenance.Unreachable.
package npm

// PublicRegistry is the public npm registry. No other place in the program
// names it.
const PublicRegistry = "https://registry.npmjs.org/"
