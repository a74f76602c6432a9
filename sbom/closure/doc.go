// Package closure says which packages npm would install for a launch such as
// `npx -y name@^1.2`, and at which places.
//
// In flow [Request]s (one for each package that the launch names), and
// packuments from a [Source]: a registry, which somebody else asks, or a recorded
// [Snapshot]. Out flows a [Closure]: every [Package] at its place below
// node_modules, every [Edge] with the copy that Node.js would load for it, and
// what could not be [Unresolved].
//
// [Closure.Folder] writes a closure as a project of its own, whose lockfile is
// npm's own byte for byte (but for what says nothing of the packages, such as
// funding), so that `npm ci` installs exactly what was resolved.
//
// The answer is that of npm 11's `npm install --package-lock-only` in an empty
// folder, which is what npx does in its cache. So the places matter: npm puts a
// package as high as it can, the first one wins a place, and which version
// satisfies whom follows from that. Peers are installed automatically, beside or
// above who asks for them; optional peers are not. A lockfile lists optional
// packages for all platforms, so operating system and processor leave nothing
// out. Versions are picked as npm does it: the tag latest where it satisfies,
// what is deprecated only where nothing else does. The version of Node.js that
// would run counts only where [Options] name it, since nobody knows whose machine
// it will be.
//
// Nothing is guessed. What comes from elsewhere than the registry (git, URLs,
// files), what arrives inside of another package's tarball (unless [Options].Contents
// looks into it), what an npm-shrinkwrap.json in one fixes, and what npm itself
// would refuse is listed as unresolved with the reason, and then [Closure.Complete]
// says no. Reaching a limit is an error.
//
// The package reaches no network.
package closure
