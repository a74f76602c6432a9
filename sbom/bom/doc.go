// Package bom reads and writes CycloneDX documents of any tool, as they are: JSON
// and XML, versions 1.2 to 1.7 of ECMA-424 (https://cyclonedx.org/specification/).
//
// In flow the bytes of a document. [Read] checks them as hostile input and turns
// them into a [Document], whose BOM has the types of the CycloneDX project's own
// library. [Document.Write] writes it in another version or format, and [Merge]
// makes one of several. Out flow bytes again, and with them a [Loss] for every
// field that could not come along.
//
// Nothing is dropped in silence. That is not promised by knowing every field, but
// by comparing: each field of what went in is looked for in what came out, and
// where it is missing or changed, it is named. So a field that the library does not
// know, one that the target version does not have, and one that a format cannot
// hold are all found by the same few lines.
//
// A document that two parsers could read differently is refused, with the line:
// duplicate keys, keys that differ from CycloneDX's only in case, duplicate
// bom-refs, document type declarations and with them all entities of one's own.
// Size, depth and the number of values are bounded.
package bom
