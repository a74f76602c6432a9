package mcp

import (
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// nixOptions are the options of nix that may stand before its sub command and
// behind it (nix.dev, "nix", common options).
var nixOptions = options{
	value: set(`--extra-experimental-features --experimental-features --log-format --store --substituters
		--extra-substituters --trusted-public-keys --extra-trusted-public-keys --max-jobs -j --cores --profile
		--eval-store --inputs-from`),
	boolean: set(`--impure --accept-flake-config --offline --refresh --no-write-lock-file --no-update-lock-file
		--quiet -v --verbose -L --print-build-logs --show-trace --no-registries --commit-lock-file`),
}

// nixRun is `nix run FLAKE [WORDS]`. It returns nil for the other sub commands.
func nixRun(s *scan, _ string, command word, args []word, depth int) []subject {
	before := nixOptions.parse(args)
	if before.unclear != nil || len(before.rest) == 0 || before.rest[0].text != "run" {
		return nil
	}
	const launcher = "nix run"
	p := nixOptions.parse(before.rest[1:])
	switch {
	case p.unclear != nil:
		return named(launcher, []subject{ambiguous(*p.unclear)})
	case len(p.rest) == 0:
		return named(launcher, []subject{local(word{text: ".", at: command.at}, "")})
	case p.rest[0].open:
		return named(launcher, []subject{ambiguous(p.rest[0])})
	}
	inner := p.rest[1:]
	if len(inner) > 0 && inner[0].text == "--" {
		inner = inner[1:]
	}
	flake := p.rest[0]
	if m := nixProgram.FindStringSubmatch(flake.text); len(m) > 0 && launchersOf(m[1]) != nil {
		return s.command(append([]word{{text: m[1], at: flake.at}}, inner...), depth+1)
	}
	return append(named(launcher, []subject{flakeSubject(flake)}), nested(s.carried("", inner, depth))...)
}

var (
	// nixProgram is a program of the registry's own collection, which has those that
	// their names promise.
	nixProgram = lazyregexp.New(`^(?:flake:)?nixpkgs#([A-Za-z0-9._-]+)$`)
	// flakeHost is OWNER/NAME[/REF] at one of the hosts that Nix has a short form for.
	flakeHost = lazyregexp.New(`^(github|gitlab):([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)(?:/([^?#]+))?(?:\?[^#]*)?$`)
	// flakeGit is a repository by its URL, of which ref and rev are parameters.
	flakeGit  = lazyregexp.New(`^(git\+(?:https?|ssh)://[^?#]+)(?:\?([^#]*))?$`)
	flakePath = lazyregexp.New(`^(path:|\.|/|~/)`)
)

// flakeSubject is what a reference to a flake names: a repository, or a folder.
// What it builds is named behind a "#" (nix.dev, "flake references").
func flakeSubject(w word) subject {
	flake, _, _ := strings.Cut(w.text, "#")
	if m := flakeHost.FindStringSubmatch(flake); m != nil {
		return repository(w, m[1]+":"+m[2], "git+https://"+hosts[m[1]]+"/"+m[2], m[3])
	}
	if m := flakeGit.FindStringSubmatch(flake); m != nil {
		ref := ""
		for parameter := range strings.SplitSeq(m[2], "&") {
			name, value, _ := strings.Cut(parameter, "=")
			if name == "rev" || name == "ref" && ref == "" {
				ref = value
			}
		}
		return repository(w, m[1], m[1], ref)
	}
	if flakePath.MatchString(flake) {
		return local(w, "")
	}
	out := unknown(w.at, "which flake of Nix that is cannot be told")
	out.launch.Spec, out.launch.Pin = redact(w.text), sbom.PinUnknown
	return out
}
