package policy

import "countermark/provenance"

// ProvenanceOf is the JSON form of one result, for commands that judge single
// subjects without a policy.
func ProvenanceOf(r *provenance.Result) *ProvenanceVerdict { return provenanceVerdict(r) }
