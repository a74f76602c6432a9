package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"countermark/sbom"
)

// launches returns what a server would run, the outermost first. A server of
// which the reader could say nothing more still has its own kind.
func launches(s *sbom.Server) []sbom.Launch {
	if slices.ContainsFunc(s.Launches, func(l sbom.Launch) bool { return !l.Nested }) {
		return s.Launches
	}
	return append([]sbom.Launch{{Kind: s.Kind, Spec: s.Spec, Pin: s.Pin}}, s.Launches...)
}

// floats reports whether what is launched can change by itself. A package of
// which nobody can tell the version may change, too.
func floats(l sbom.Launch) bool {
	if l.Pin.Floating() {
		return true
	}
	return (l.Pin == sbom.PinUnknown || l.Pin == "") && fetched(l.Kind)
}

// fetched reports whether a kind is fetched from elsewhere when it is launched.
func fetched(k sbom.Kind) bool {
	switch k {
	case sbom.KindNPM, sbom.KindPyPI, sbom.KindOCI, sbom.KindGit, sbom.KindNuGet, sbom.KindGo, sbom.KindCargo:
		return true
	default:
		return false
	}
}

func findFloating(e *evaluation, _ *Rule, report func(hit)) {
	for _, s := range e.servers {
		for _, l := range launches(s.Server) {
			if !floats(l) {
				continue
			}
			c := e.components[l.Ref]
			h := hit{
				component: c, server: s, detail: l.Spec, actual: l.Spec, fix: pinFix(l, c),
				message: fmt.Sprintf("%s starts %s, %s", launcher(s.Server), launched(l, c), floatReason[l.Pin]),
			}
			if s.Server.Image {
				h.what = CaseImage
				h.message = fmt.Sprintf("the image %s, which %s of %s names: %s", launched(l, c), s.Server.Launcher, s.Server.File, floatReason[l.Pin])
			}
			report(h)
		}
	}
	for _, c := range e.packages {
		for _, request := range manifestRequests(c) {
			report(hit{
				component: c, detail: request, actual: request,
				message: fmt.Sprintf("%s is asked for as %q, and no lockfile says which version that is", named(c.Name), request),
				fix:     "create the lockfile with the package manager, and commit it",
			})
		}
	}
}

// launcher is what launches in a message: a server, or a script.
func launcher(s *sbom.Server) string {
	if s.Script {
		return "script " + named(s.Name)
	}
	return "server " + named(s.Name)
}

func launched(l sbom.Launch, c *sbom.Component) string {
	switch {
	case c != nil:
		return named(nameOf(c))
	case l.Spec != "":
		return named(l.Spec)
	default:
		return "something of kind " + string(l.Kind)
	}
}

var floatReason = map[sbom.Pin]string{
	sbom.PinRange:       "whichever version of a range is the newest at the moment",
	sbom.PinDistTag:     "whatever the tag points at in the moment",
	sbom.PinUnversioned: "whichever version is the newest at the moment",
	sbom.PinTag:         "whatever the image's tag points at in the moment",
	sbom.PinGitRef:      "whatever the branch or tag points at in the moment",
	sbom.PinGitUnpinned: "whatever the repository's default branch holds at the moment",
	sbom.PinUnknown:     "and nothing says which version",
	"":                  "and nothing says which version",
}

// pinFix names the package in a command line only where that is harmless.
func pinFix(l sbom.Launch, c *sbom.Component) string {
	if c == nil || !plainName(nameOf(c)) {
		return ""
	}
	if c.Source == sbom.FromFile && l.Kind == sbom.KindNPM {
		return fmt.Sprintf("start it by npx with the version that you have reviewed, %s@VERSION, or from a project with a lockfile", nameOf(c))
	}
	switch l.Kind {
	case sbom.KindNPM:
		return fmt.Sprintf("write the version that you have reviewed behind the name: %s@VERSION", nameOf(c))
	case sbom.KindPyPI:
		return fmt.Sprintf("write the version that you have reviewed behind the name: %s==VERSION", nameOf(c))
	case sbom.KindOCI:
		return fmt.Sprintf("name the image by its digest: %s@sha256:DIGEST", nameOf(c))
	case sbom.KindNuGet:
		return fmt.Sprintf("write the version that you have reviewed behind the name: %s@VERSION", nameOf(c))
	case sbom.KindGo:
		return fmt.Sprintf("write the version that you have reviewed behind the path: %s@vVERSION", nameOf(c))
	case sbom.KindGit:
		return "name the whole commit id behind #, and review that commit"
	default:
		return ""
	}
}

func findOpaque(e *evaluation, _ *Rule, report func(hit)) {
	e.findRisks(sbom.RiskAltered, "changes what its launcher runs,", func(h hit) {
		h.what = CaseAltered
		h.fix = "remove the option or variable, and start the package as it was published"
		report(h)
	})
	for _, s := range e.servers {
		downloads := slices.ContainsFunc(s.Server.Risks, func(r sbom.Risk) bool { return r.Code == sbom.RiskDownload })
		if downloads && s.Server.Script && s.Server.Launcher == "" {
			continue // that is all it is, and privileged-launch says so
		}
		for i, l := range launches(s.Server) {
			what := opaqueKinds[l.Kind]
			if what == "" {
				continue
			}
			h := hit{server: s, actual: l.Spec, detail: fmt.Sprint(l.Kind, " ", l.Spec)}
			h.message = fmt.Sprintf("%s %s", launcher(s.Server), what)
			if i == 0 && s.Server.Reason != "" {
				h.message += ": " + s.Server.Reason
			}
			if downloads {
				h.what = CaseDownload
				h.message += "; it runs a script that it downloads"
				h.fix = "install the server once from a source that you have checked, and start what was installed"
			}
			report(h)
		}
	}
}

var opaqueKinds = map[sbom.Kind]string{
	sbom.KindUnknown:       "starts something that cannot be analysed",
	sbom.KindShellScript:   "starts a shell script that cannot be analysed",
	sbom.KindContainerExec: "runs inside a container that something else has started",
	"":                     "starts something of no known kind",
}

// findUnsupported finds packages in that state, and launches that are no package
// at all. What is built into the client or runs on another machine has no bytes
// here to prove anything about.
func findUnsupported(e *evaluation, rule *Rule, report func(hit)) {
	findState(e, rule, report)
	for _, s := range e.servers {
		for _, l := range launches(s.Server) {
			if l.Ref != "" || opaqueKinds[l.Kind] != "" || l.Kind == sbom.KindRemote || l.Kind == sbom.KindBuiltin {
				continue
			}
			report(hit{
				server: s, detail: fmt.Sprint(l.Kind, " ", l.Spec), actual: l.Spec,
				message: fmt.Sprintf("%s starts %s, for which no provenance can exist", launcher(s.Server), unprovable(l.Kind)),
			})
		}
	}
}

func unprovable(k sbom.Kind) string {
	switch k {
	case sbom.KindLocal:
		return "a file of this machine"
	case sbom.KindBinary:
		return "a program that is installed already"
	case sbom.KindMCPB:
		return "a bundle"
	default:
		return "something of kind " + string(k) + " that has no name"
	}
}

func findSecrets(e *evaluation, _ *Rule, report func(hit)) {
	e.findRisks(sbom.RiskSecret, "holds a literal credential", report)
}

func findInsecure(e *evaluation, _ *Rule, report func(hit)) {
	e.findRisks(sbom.RiskInsecureRemote, "speaks to another machine without encryption, or allows that", report)
}

// findPrivileged finds what a server could do to the machine beside running on
// it. What takes the whole machine over has its own severity.
func findPrivileged(e *evaluation, _ *Rule, report func(hit)) {
	e.findRisks(sbom.RiskEngine, "hands the container engine into a container, and with it the whole machine,", func(h hit) {
		h.what = CaseEngine
		h.fix = "do not mount the engine's socket; if the server has to start containers, give it an engine of its own"
		report(h)
	})
	e.findRisks(sbom.RiskDownload, "runs a script at once that it fetches", func(h hit) {
		h.what = CaseDownload
		h.fix = "install the server once from a source that you have checked, and start what was installed"
		if h.server.Server.Script {
			h.what = CaseFetched
			h.message = fmt.Sprintf("%s runs what it fetches, by %s", launcher(h.server.Server), h.detail)
			h.fix = "fetch a fixed version and compare its checksum before it runs, or install the tool as a package"
		}
		report(h)
	})
	for _, s := range e.servers {
		for _, r := range s.Server.Risks {
			if r.Code != sbom.RiskPrivileged {
				continue
			}
			report(hit{
				server: s, at: riskPlace(s, r), detail: r.Where + " " + r.What, actual: r.What,
				message: fmt.Sprintf("%s %s, by %s", launcher(s.Server), r.What, r.Where),
			})
		}
	}
}

// maxTools is how many tools a message names.
const maxTools = 5

func findAutoApprove(e *evaluation, _ *Rule, report func(hit)) {
	for _, s := range e.servers {
		for _, a := range s.Server.Approvals {
			if a.Tool == "" {
				report(hit{
					server: s, at: approvalPlace(s, a), detail: a.Setting + " " + a.File, actual: a.Setting,
					message: fmt.Sprintf("%s starts without asking anybody, by %s", launcher(s.Server), named(a.Setting)),
					fix:     "remove the setting, so that everybody who works on the project decides about each server",
				})
			}
		}
		tools := s.Server.AutoApprove
		if len(tools) == 0 {
			continue
		}
		h := hit{server: s, at: toolApproval(s), detail: strings.Join(tools, "\x00"), actual: strings.Join(tools, ", ")}
		switch {
		case slices.Contains(tools, "*"):
			h.message = fmt.Sprintf("every tool of %s runs without asking", launcher(s.Server))
			h.fix = "remove the approval of everything, and approve only tools that read and cannot leak"
		default:
			shown := make([]string, 0, maxTools)
			for _, tool := range tools[:min(len(tools), maxTools)] {
				shown = append(shown, named(tool))
			}
			if more := len(tools) - len(shown); more > 0 {
				shown = append(shown, fmt.Sprintf("and %d more", more))
			}
			h.message = fmt.Sprintf("tools of %s run without asking: %s", launcher(s.Server), strings.Join(shown, ", "))
		}
		report(h)
	}
}

// toolApproval is where the setting stands that lets tools run without asking: the
// one for all tools, else the first.
func toolApproval(s *sbom.Component) *Location {
	var first *Location
	for _, a := range s.Server.Approvals {
		if a.Tool == "*" {
			return approvalPlace(s, a)
		}
		if first == nil && a.Tool != "" {
			first = approvalPlace(s, a)
		}
	}
	return first
}

func approvalPlace(s *sbom.Component, a sbom.Approval) *Location {
	if a.Line == 0 {
		return nil
	}
	return &Location{Path: cmp.Or(a.File, s.Server.File), Line: a.Line, Column: a.Column}
}

func (e *evaluation) findRisks(code sbom.RiskCode, what string, report func(hit)) {
	for _, s := range e.servers {
		for _, r := range s.Server.Risks {
			if r.Code != code {
				continue
			}
			report(hit{
				server: s, at: riskPlace(s, r), detail: r.Where,
				message: fmt.Sprintf("%s %s in %s", launcher(s.Server), what, r.Where),
			})
		}
	}
}

// riskPlace is where the risk stands, nil where nobody knows.
func riskPlace(s *sbom.Component, r sbom.Risk) *Location {
	if r.Line == 0 {
		return nil
	}
	return &Location{Path: s.Server.File, Line: r.Line, Column: r.Column}
}
