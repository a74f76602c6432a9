// Package policy decides: it reads the policy file, applies the rules and
// returns the verdict.
//
// In flow a [Policy] (from [Parse], or [Default] where there is no file) and
// [Facts]: the inventory, one provenance.Result for each package, the catalogue
// of official sources, the list of malicious versions, and what was wrong with
// configuration files. Out flows a [Verdict], whose JSON form is the contract
// with other programs (schemas/verdict.schema.json). [Evaluate] reads no file,
// no clock and no network: the same policy and facts give the same verdict.
//
// Before that, [Expect] tells the verifier which source each package should come
// from: the policy's word first, then the catalogue's.
//
// # The policy file
//
// countermark.yaml (schemas/policy.schema.json) is strict: an unknown or
// repeated key, a bad date, a name of no rule, or two patterns of which neither
// is the more exact are a [FileError] with line and column. YAML's anchors,
// aliases, tags and second documents are refused, because a reviewer should see
// what a policy says without expanding it in the head.
//
//   - A package pattern is [npm:|pypi:|oci:]name. Without a prefix it means npm:
//     whoever vouches for an npm package has said nothing about a package of the
//     same name elsewhere. "*" stops at "/". An exact name beats a pattern, then
//     the longer literal prefix wins; a tie is an error.
//   - A source needs "repo", an https URL in which "*" stands for one whole path
//     segment, but never for the owner: who may be anybody is vouched for by
//     nobody. Whoever names a repository also vouches for what is fetched from
//     that repository itself, by git over https or ssh.
//   - A rule's setting applies to what its "for" selects (everything without
//     one); the rest keeps the severity of the profile. A setting can therefore
//     be narrowed without switching the rule off elsewhere.
//   - An exception needs rule, reason, expires, and package or server (or both).
//     It covers findings to the end of the day "expires" in UTC. One without an
//     end would be a change of policy, which belongs under "rules".
//
// # What decides
//
// Findings of severity error that no exception covers make the verdict fail.
// Those of a rule that only says that something is not known (input-invalid,
// lockfile-missing, provenance-unavailable) make it unknown, if nothing fails.
// A rule that could not be evaluated is listed, and makes the verdict unknown
// where the policy file itself asks for it: it names the rule, and the severity
// that results is error or warn. A component with several origins is judged by
// the strictest severity that any of them has.
package policy
