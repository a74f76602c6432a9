package main

import (
	"countermark/policy"

	"github.com/spf13/cobra"
)

func (p *program) policyCommand() *cobra.Command {
	return parent("policy", "work with policy files", p.policyCheckCommand())
}

func (p *program) policyCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "validate a policy file",
		Long: `Reads a policy file as check would, and says what is wrong with it, with line and
column. Without FILE it is the one that would govern the current folder.

Exit codes: 0 valid; 2 invalid, or not there.`,
		Args: arguments(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			named := ""
			if len(args) == 1 {
				named = args[0]
			}
			pol, err := policy.Locate(named, []string{"."})
			if err != nil {
				return err
			}
			if pol.Dir == "" {
				return usageError("name a file, or write a countermark.yaml", "there is no %s here", policy.FileName)
			}
			out := p.plainOut()
			out.Printf("%s: valid, profile %s\n", pol.Name, string(pol.Profile))
			return out.Err()
		},
	}
}
