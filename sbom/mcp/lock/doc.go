// Package lock keeps what MCP configurations would launch: the file mcp.lock.json
// beside them, which is to MCP servers what package-lock.json is to dependencies.
//
// In flow an inventory and what somebody found out about its launches beyond it
// (the version that a spec selects today, its digest, whether it is attested):
// [Make] turns them into one [Lock] for each folder that holds configurations. Out
// flows the file ([Lock.Write], byte for byte the same for the same facts) or, by
// [Compare], every [Drift] between what was locked and what is there now.
// [Reader] finds and reads the files while a project is scanned, [Pin] writes the
// versions of a lock into the configurations themselves.
//
// What is vendored ([Vendor]) has a folder in the project with a lockfile of its own,
// .mcp/NAME, from which node starts it. Then the closure in the lock is that of the
// folder's lockfile, which is at hand whenever the two are compared: no registry has
// to be asked to see that somebody changed it. The folders are told by their place
// alone, which is what the launch names.
//
// A lock is a file of the project. Whoever can change the configuration can change
// it in the same commit, so what it says only ever tightens an answer: it vouches
// for no source, and the approvals in it are for people to read. A review of the
// file, best one that the code host demands, is what gives it weight.
//
// It holds no argument, no header value and no value of an environment variable.
// That an argument changed is seen by [sbom.Server.Command], a digest over how the
// server is started from which everything that is a credential by its name, form
// or place was left out before.
package lock
