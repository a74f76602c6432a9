package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// unlimited is how many arguments a command takes that takes any number.
const unlimited = -1

// arguments checks how many follow a command. Cobra's own checks say neither what is
// expected nor how to go on.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && (most == unlimited || len(args) <= most) {
			return nil
		}
		_, takes, _ := strings.Cut(cmd.Use, " ")
		given := count(len(args), "argument")
		if len(args) == 0 {
			given = "none"
		}
		return usageError(fmt.Sprintf("run `%s --help`", cmd.CommandPath()), "%s takes %s, and is given %s", cmd.CommandPath(), cmp.Or(takes, "no arguments"), given)
	}
}

// parent makes a command that only holds others.
func parent(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short}
	cmd.AddCommand(children...)
	needSubcommand(cmd)
	return cmd
}

// needSubcommand makes a wrong word after a command an error, where cobra would
// show a help page and exit with 0.
func needSubcommand(cmd *cobra.Command) {
	cmd.Args = knownCommand
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return usageError(fmt.Sprintf("run `%s --help`", cmd.CommandPath()), "%s needs a subcommand", cmd.CommandPath())
	}
}

// knownCommand is for a command that takes nothing but the name of another.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return noCommand(cmd, args[0])
}

func noCommand(parent *cobra.Command, words ...string) error {
	return usageError(fmt.Sprintf("run `%s --help` for all commands", parent.CommandPath()), "there is no command %s %s", parent.CommandPath(), strings.Join(words, " "))
}

// describeCompletion makes cobra's command for completion scripts speak like ours.
func describeCompletion(cmd *cobra.Command) {
	cmd.Short = "write a script that completes the words of a command line"
	needSubcommand(cmd)
	for _, shell := range cmd.Commands() {
		shell.Short = "write the script for " + shell.Name()
		shell.Args = arguments(0, 0)
	}
}
