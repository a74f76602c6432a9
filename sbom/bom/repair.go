package bom

import (
	"fmt"
	"reflect"
	"slices"

	"countermark/sbom/lazyregexp"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// repair takes out of a document what the library would write in a way that the
// schema of the version does not allow. It is found by validating the
// specification's own examples in every version and format; what goes is named like
// every other loss.
//
// So does what no version allows and nobody can compare: a hash by an algorithm that
// is unknown, or that is none in hex, and a serial number that is no UUID.
func repair(bom *cdx.BOM, version cdx.SpecVersion, format string) {
	if !serialNumber.MatchString(bom.SerialNumber) {
		bom.SerialNumber = ""
	}
	r := repairer{version: version, xml: format == "xml"}
	r.walk(reflect.ValueOf(bom).Elem())
	if r.xml {
		nameOnce(reflect.ValueOf(bom.Formulation), map[string]bool{})
		// References in these are texts in XML; the library has them as attributes.
		bom.Declarations, bom.Citations = nil, nil
		if bom.Definitions != nil {
			bom.Definitions.Patents = nil
		}
	}
}

// The patterns of the schemas, which are the same in every version.
var (
	serialNumber = lazyregexp.New(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	hashValue    = lazyregexp.New(`^([a-fA-F0-9]{32}|[a-fA-F0-9]{40}|[a-fA-F0-9]{64}|[a-fA-F0-9]{96}|[a-fA-F0-9]{128})$`)
)

// hashAlgorithms are all that a version has; of those that came later the library
// takes care.
var hashAlgorithms = map[cdx.HashAlgorithm]bool{
	"MD5": true, "SHA-1": true, "SHA-256": true, "SHA-384": true, "SHA-512": true, "SHA3-256": true, "SHA3-384": true,
	"SHA3-512": true, "BLAKE2b-256": true, "BLAKE2b-384": true, "BLAKE2b-512": true, "BLAKE3": true, "Streebog-256": true, "Streebog-512": true,
}

type repairer struct {
	version cdx.SpecVersion
	xml     bool
}

// walk visits every value below v, which can be set, and then v itself.
func (r repairer) walk(v reflect.Value) {
	switch v.Kind() { //nolint:exhaustive // nothing else holds any
	case reflect.Pointer:
		if !v.IsNil() {
			r.walk(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			r.walk(v.Index(i))
		}
	case reflect.Struct:
		for _, f := range v.Fields() {
			if f.CanSet() && !f.IsZero() {
				r.walk(f)
			}
		}
	}
	if !v.CanAddr() {
		return
	}
	r.value(v.Addr().Interface())
	if r.xml && emptyList(v) {
		v.SetZero() // an element without content, of which nothing is read back
	}
}

// nameOnce gives every bom-ref below v to the first that has it, and another one to the
// rest, since the XML schemas demand that each has one of its own.
func nameOnce(v reflect.Value, seen map[string]bool) {
	switch v.Kind() { //nolint:exhaustive // nothing else holds any
	case reflect.Pointer:
		if !v.IsNil() {
			nameOnce(v.Elem(), seen)
		}
	case reflect.Slice:
		for i := range v.Len() {
			nameOnce(v.Index(i), seen)
		}
	case reflect.Struct:
		if ref := v.FieldByName("BOMRef"); ref.IsValid() && ref.Kind() == reflect.String && ref.CanSet() && ref.String() != "" {
			name := ref.String()
			for n := 2; seen[ref.String()]; n++ {
				ref.SetString(fmt.Sprintf("%s#%d", name, n))
			}
			seen[ref.String()] = true
		}
		for _, f := range v.Fields() {
			if f.CanSet() {
				nameOnce(f, seen)
			}
		}
	}
}

func emptyList(v reflect.Value) bool {
	return v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.Slice && v.Elem().Len() == 0
}

func (r repairer) value(at any) {
	switch p := at.(type) {
	case **cdx.JSFSignature:
		*p = nil // it does not cover what is written
	case *cdx.Component:
		r.component(p)
	case *cdx.Service:
		r.service(p)
	case *cdx.Licenses:
		r.licenses(p)
	case *[]cdx.BOMReference:
		*p = slices.DeleteFunc(*p, func(ref cdx.BOMReference) bool { return ref == "" })
	case *cdx.AffectedVersions:
		if p.Status == "" {
			p.Status = cdx.VulnerabilityStatusAffected // the default
		}
	case **[]cdx.Hash:
		r.hashes(p)
	case *cdx.ExternalReference:
		if since, ok := referenceTypes[p.Type]; ok && r.version < since {
			p.Type = cdx.ERTypeOther
		}
	case *cdx.CryptoProtocolProperties:
		if r.version < cdx.SpecVersion1_7 {
			r.transforms(p)
		}
	}
}

func (r repairer) service(s *cdx.Service) {
	if r.xml {
		s.TrustZone = "" // the library puts it where the schema does not have it
		s.PatentAssertions = nil
	}
	if r.xml && r.version < cdx.SpecVersion1_5 {
		s.Data = nil // classifications until 1.4, data flows since
	}
	if r.version < cdx.SpecVersion1_6 {
		s.Tags = nil
	}
}

func (r repairer) hashes(p **[]cdx.Hash) {
	if *p == nil {
		return
	}
	**p = slices.DeleteFunc(**p, func(h cdx.Hash) bool { return !hashAlgorithms[h.Algorithm] || !hashValue.MatchString(h.Value) })
	if len(**p) == 0 {
		*p = nil
	}
}

// componentTypes are those that there are, with the version that they came with.
var componentTypes = map[cdx.ComponentType]cdx.SpecVersion{
	"application": cdx.SpecVersion1_0, "framework": cdx.SpecVersion1_0, "library": cdx.SpecVersion1_0,
	"operating-system": cdx.SpecVersion1_0, "device": cdx.SpecVersion1_0, "file": cdx.SpecVersion1_1,
	"container": cdx.SpecVersion1_2, "firmware": cdx.SpecVersion1_2,
	"platform": cdx.SpecVersion1_5, "device-driver": cdx.SpecVersion1_5, "machine-learning-model": cdx.SpecVersion1_5,
	"data": cdx.SpecVersion1_5, "cryptographic-asset": cdx.SpecVersion1_6,
}

func (r repairer) component(c *cdx.Component) {
	if c.Type == "" || r.version < componentTypes[c.Type] {
		c.Type = cdx.ComponentTypeApplication // which the specification wants where nothing fits better
	}
	if r.xml {
		c.CryptoProperties = nil // its references, as those of declarations
		c.PatentAssertions = nil // as these
		c.VersionRange, c.IsExternal = "", nil
	}
	if r.xml && r.version < cdx.SpecVersion1_6 {
		c.Data = nil
	}
	if c.Evidence == nil || c.Evidence.Identity == nil {
		return
	}
	// One identity is an object until 1.5 and in JSON, a list in XML.
	id := c.Evidence.Identity
	switch {
	case r.xml && id.Identity != nil:
		c.Evidence.Identity = &cdx.EvidenceIdentityChoice{Identities: &[]cdx.EvidenceIdentity{*id.Identity}}
	case !r.xml && r.version < cdx.SpecVersion1_6 && id.Identities != nil && len(*id.Identities) > 0:
		c.Evidence.Identity = &cdx.EvidenceIdentityChoice{Identity: &(*id.Identities)[0]}
	}
}

// referenceTypes are those that the library leaves in versions older than the one
// that they came with.
var referenceTypes = map[cdx.ExternalReferenceType]cdx.SpecVersion{
	"security-contact": cdx.SpecVersion1_5, "poam": cdx.SpecVersion1_5,
	"source-distribution": cdx.SpecVersion1_6, "electronic-signature": cdx.SpecVersion1_6,
	"digital-signature": cdx.SpecVersion1_6, "rfc-9116": cdx.SpecVersion1_6,
}

// transforms takes out IKEv2 transforms in the form that came with 1.7.
func (r repairer) transforms(p *cdx.CryptoProtocolProperties) {
	t := p.IKEv2TransformTypes
	if t == nil {
		return
	}
	for _, list := range reflect.ValueOf(t).Elem().Fields() {
		if list.Kind() != reflect.Pointer || list.IsNil() || list.Elem().Kind() != reflect.Slice {
			continue
		}
		for j := range list.Elem().Len() {
			ref := reflect.Indirect(list.Elem().Index(j)).FieldByName("BOMRef")
			if ref.IsValid() && ref.String() == "" {
				p.IKEv2TransformTypes = nil
				return
			}
		}
	}
}

// licenses keeps to what older versions have: one expression, or licences. Among
// others an expression becomes the name of a licence, so that its text stays.
func (r repairer) licenses(all *cdx.Licenses) {
	for i := range *all {
		l := &(*all)[i]
		if r.version < cdx.SpecVersion1_7 {
			l.ExpressionDetails, l.Licensing, l.Properties = nil, nil, nil
		}
		if r.version < cdx.SpecVersion1_6 {
			l.Acknowledgement = nil
		}
		if r.version < cdx.SpecVersion1_5 {
			l.BOMRef = ""
		}
		if r.version < cdx.SpecVersion1_7 && len(*all) > 1 && l.Expression != "" {
			*l = cdx.LicenseChoice{License: &cdx.License{Name: l.Expression, BOMRef: l.BOMRef}}
		}
		if l.License != nil && r.version < cdx.SpecVersion1_6 {
			l.License.Acknowledgement = ""
		}
		if l.License != nil && r.version < cdx.SpecVersion1_5 {
			l.License.BOMRef = ""
		}
	}
	*all = slices.DeleteFunc(*all, func(l cdx.LicenseChoice) bool { return l.Expression == "" && l.License == nil })
}
