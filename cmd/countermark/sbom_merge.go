package main

import (
	"cmp"

	"countermark/sbom/bom"

	"github.com/spf13/cobra"
)

func (p *program) sbomMergeCommand() *cobra.Command {
	var target targetFlags
	var hierarchical bool
	var name, version, group string
	cmd := &cobra.Command{
		Use:   "merge FILE FILE…",
		Short: "make one CycloneDX document of several",
		Long: `Merges CycloneDX documents of any tool. Components stand beside each other, once:
those of the same purl become one where their facts do not contradict each other
(hashes, distribution, licences…); where they do, both stay and the difference is
named on standard error. What the documents are about become components, and with
--name the dependencies of a new subject. With --hierarchical each document's
components stay inside of its own subject, as they are, which needs --name. A
bom-ref that two documents use for different things gets #2. The result has the
newest version among the documents (1.5 at least) and the format of the first, no serial number,
no signature, and the same bytes for the same files.

Exit codes: 0 written, be it with contradictions; 2 wrong usage; 3 a FILE is no
document that can be read.`,
		Example: `  countermark sbom merge -o all.cdx.json web.cdx.json api.cdx.json
  countermark sbom merge --hierarchical --name shop --version 2.0.0 web.cdx.json api.cdx.json`,
		Args: arguments(2, unlimited),
		RunE: func(_ *cobra.Command, args []string) error {
			how := bom.Merging{Hierarchical: hierarchical}
			if err := cmp.Or(target.validate(), onceFromStdin(args)); err != nil {
				return err
			}
			switch {
			case hierarchical && name == "":
				return usageError("say what the documents are parts of: --name NAME", "--hierarchical needs --name")
			case name == "" && cmp.Or(version, group) != "":
				return usageError("give --name, too", "--version and --group need --name")
			case name != "":
				how.Root = bom.Subject(group, name, version)
			}
			var documents []*bom.Document
			for _, file := range args {
				d, err := p.readWritable(file)
				if err != nil {
					return err
				}
				documents = append(documents, d)
			}
			merged, conflicts, err := bom.Merge(documents, how)
			if err != nil {
				return err
			}
			for _, c := range conflicts {
				p.warn("look at both documents", "%s", c)
			}
			return p.writeDocument("merged", merged, target)
		},
	}
	target.add(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&hierarchical, "hierarchical", false, "keep each document's components inside of its subject")
	flags.StringVar(&name, "name", "", "`NAME` of what the merged document is about")
	flags.StringVar(&version, "version", "", "its `VERSION`")
	flags.StringVar(&group, "group", "", "its `GROUP`")
	return cmd
}
