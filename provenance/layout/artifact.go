package layout

import (
	"slices"
	"strings"

	"countermark/provenance"
)

// Artifact judges a file or digest by the layout: it has to be among the products
// of the last step, under whatever name. Errors are those of reading the file.
func (r Report) Artifact(a provenance.Artifact) (provenance.Result, error) {
	digests, err := a.Digests()
	if err != nil {
		return provenance.Result{}, err
	}
	out := r.Result
	out.Subject = provenance.Subject{Name: a.Name, Digests: digests, DigestFrom: "argument"}
	if a.Open != nil {
		out.Subject.DigestFrom = "file"
	}
	out.DigestFrom = out.Subject.DigestFrom
	if r.products == nil {
		return out, nil // nothing in it is believed
	}
	j := &judge{Result: out, skip: r.skip}
	if j.State == provenance.Verified {
		j.State = ""
	}
	j.Checks = slices.Clone(j.Checks)
	name := r.product(digests)
	j.Evidence = provenance.Clip(name)
	j.check(checkProduct, name != "", "a product of the last step", name,
		invalid("find out who changed the file: it is not what the steps of the layout made", "%s is not among the products of the layout's last step", a.Name))
	return j.conclude(true), nil
}

// product returns the first product, by name, that has one of the digests and
// contradicts none.
func (r Report) product(digests []provenance.Digest) string {
	for _, name := range sortedKeys(r.products) {
		equal, different := 0, 0
		for _, d := range digests {
			switch value, ok := r.products[name][d.Algorithm]; {
			case !ok:
			case strings.EqualFold(value, d.Value):
				equal++
			default:
				different++
			}
		}
		if equal > 0 && different == 0 {
			return name
		}
	}
	return ""
}
