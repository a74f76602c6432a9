// Package node reads what a Node project would install.
//
// In flow the files that [Reader] recognises: npm's package-lock.json and
// npm-shrinkwrap.json (lockfileVersion 1 to 3), pnpm's pnpm-lock.yaml
// (lockfileVersion 5, 6 and 9), yarn.lock in both of its forms, Bun's bun.lock
// (lockfileVersion 0 to 3), package.json, and the lockfiles of other package
// managers, which this version names but cannot read. Out flow, into a [sbom.Builder], the project, its workspace members, one instance for
// each installed copy of a package, and the edges that npm itself resolves:
//
//   - Every key of the lockfile's "packages" is a folder. A package finds its
//     dependency in its own node_modules, or else in that of the nearest folder
//     above that is a package; a link is followed to its target, which looks
//     upwards from where it really stands.
//   - One dependency is one edge, by name: dependencies override
//     peerDependencies, optionalDependencies override both, and
//     devDependencies, which count for the project, its members and link
//     targets only, override all.
//   - package.json is compared with what the lockfile says of it. It names the
//     project; the lockfile says what is installed.
//
// What npm takes from package.json and not from the lockfile is judged there: the
// workspace members, overrides, and the commands that npx would prefer to a
// package. URLs are read as npm reads them, see [Distribution], and file names
// without regard to case, as some systems do.
//
// A lockfile that could mean two things is a problem, not a guess: duplicate
// keys, a dependency that is nowhere, an integrity that cannot be compared. What
// could be read is added nevertheless.
//
// pnpm's lockfile says itself which instance every dependency leads to. An
// instance is a package with the peers that it was given; those of one name and
// version become one component with the edges of all. Development is what no
// production dependency of any project of the workspace reaches.
//
// A yarn.lock says of each package by which requests it is found, a name with a
// range, so there is nothing to walk: every dependency is looked up, after what the
// project's resolutions, catalogs and packageExtensions make of it. Yarn 1 leaves
// out the project and its members, which package.json files tell; newer yarns
// record a digest of their own archive only, which is no hash of the package.
//
// A bun.lock is npm's tree in other words, so it is read into the same one: its
// keys are paths of packages inside of each other, and Bun looks upwards as npm
// does. Neither it nor the lockfile of npm 6 says all that npm's newer one says:
// what is for development is found by walking in the one, and stands in
// package.json of the other.
//
// Of what is installed ([Reader.Installed]) the disk decides: every package.json in
// a node_modules says what lies there, and the edges are those by which Node.js finds
// it, whichever package manager made the layout (npm's, pnpm's and Bun's stores, that
// of yarn's node-modules linker; of Plug'n'Play the data file, while its loader is a
// program that is never run). Lockfiles are read too, but only to tell what differs,
// which leaves the answer unknown, and to give hashes and addresses to packages whose
// name and version agree; nobody compares a hash with installed files. Nothing is read
// through a link that leads out of the checked folder.
//
// npm's format is the one of npm's documentation, "package-lock.json".
package node
