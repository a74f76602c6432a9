// Package mcp reads the configurations of MCP clients: which servers a client
// would start, and by which command or over which URL.
//
// In flow configuration files of clients, and descriptors that say how a server
// is launched (server.json, the manifest of a bundle); each is read as JSON with
// comments, trailing commas and a byte order mark, because clients accept those,
// or as YAML or TOML. Out flow, by way of an [sbom.Builder]: a component for
// the file, one for each configured server, and what each would run: packages,
// images and repositories with a package URL, remote servers as services.
//
// The work is done in steps, each in files of its own:
//
//   - client.go is the table of clients: where their files stand and how they
//     hold servers. A new client is a new row. document.go, yaml.go and toml.go
//     make one tree of all three notations, shape.go and entry.go find the
//     servers in it, with positions, and descriptor.go those of descriptors.
//     Wrong types become problems of the file; the server stays listed.
//     discover.go finds the files of a user's home, and steer.go reads what the
//     settings of a client say of servers that stand in other files.
//   - launch.go takes a command line apart. unwrap.go and shell.go remove what
//     only runs another command (cmd /c, sh -c, env, …), then one file for each
//     family of launchers (npm.go, python.go, container.go, nix.go, local.go; git.go for
//     repositories) finds what would run, and proxy.go what a proxy such as
//     mcp-remote would run or call in turn. npmoptions.go knows how npm reads its
//     own command line; origin.go and folder.go what changes a launch from
//     outside: options, variables, and what stands in its folder already.
//   - script.go is the table of files in which a project's own launches hide.
//     scriptshell.go, scriptvalue.go and scriptwindows.go cut scripts into commands;
//     scriptyaml.go, scriptci.go (pipelines), scripttask.go, scriptcompose.go,
//     dockerfile.go, jenkinsfile.go, scripteditor.go, scripthook.go and
//     scriptmember.go (a table of members) find the scripts in files, and
//     scriptdownload.go what runs as it is fetched.
//   - secret.go and remote.go judge values: whether a credential stands in the
//     file, and whether a URL is safe and writable.
//
// Nothing is started and nothing is dropped: what cannot be analysed is a
// server of kind unknown or shell-script with a reason. No value of an argument,
// header or environment variable is kept, nor quoted in a message; messages name
// the place instead ("argument 3"). The one exception is the spec, the word that
// names the package, image, file or URL, and that is redacted first.
package mcp
