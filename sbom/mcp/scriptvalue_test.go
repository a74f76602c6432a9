package mcp

import "testing"

// TestCommandsInValues holds that a command is found that a script keeps in a
// variable, an alias or a text, and that a variable which nobody runs is none.
func TestCommandsInValues(t *testing.T) {
	for _, tc := range []struct {
		script string
		want   []string
	}{
		{"CMD=\"npx -y a\"; $CMD\n${CMD} more", []string{"1 npx: npx npm a unversioned", "2 npx: npx npm a unversioned"}},
		{"RUNNER=npx\n\"$RUNNER\" a@1.0.0\nexport U='uvx b==1'\nsudo $U", []string{"2 npx: npx npm a@1.0.0 exact", "4 uvx: uvx pypi b==1 exact"}},
		{"if x; then R=npx; else R=bunx; fi\n$R a", []string{"2 bunx: bunx npm a unversioned", "2 npx: npx npm a unversioned"}},
		{"BASE='npx -y'\nCMD=\"$BASE a\"\n$CMD\nbash -c \"$CMD\"\neval \"$CMD\"", []string{"3 npx: npx npm a unversioned", "4 npx: npx npm a unversioned", "5 npx: npx npm a unversioned"}},
		{"ARGS=(npx -y a)\n\"${ARGS[@]}\" b", []string{"2 npx: npx npm a unversioned"}},
		{"N=$(command -v npx); \"$N\" a\n\"${M:-bunx}\" b\nM=`which uvx`; $M c", []string{"1 npx: npx npm a unversioned", "2 bunx: bunx npm b unversioned", "3 uvx: uvx pypi c unversioned"}},
		{"$(command -v npx) a\n`which uvx` b", []string{"1 npx: npx npm a unversioned", "2 uvx: uvx pypi b unversioned"}},
		{"alias x='npx a'\nalias y=ls", []string{"1 npx: npx npm a unversioned"}},
		{"echo 'npx a' | sh\nprintf 'npx b\\n' | sudo bash\ncat <<E | sh -s\nnpx c\nE\necho npx no | tee x | cat", []string{
			"1 npx: npx npm a unversioned", "2 npx: npx npm b unversioned", "4 npx: npx npm c unversioned"}},
		{"eval npx a\neval \"$(npx b --init)\"\neval 'npx c && npx d'", []string{
			"1 npx: npx npm a unversioned", "2 npx: npx npm b unversioned", "3 npx: npx npm c unversioned", "3 npx: npx npm d unversioned"}},
		{"su -c 'npx a' me\nnix-shell --run \"npx b\"", []string{"1 npx: npx npm a unversioned", "2 npx: npx npm b unversioned"}},
		{"CMD='npx no'\necho $CMD\nUSAGE=\"use npx x\"\nlog \"$USAGE\"\nfor c in npx uvx; do command -v $c; done", nil},
	} {
		checkLaunches(t, "run.sh", tc.script, tc.want...)
	}
	checkLaunches(t, ".github/workflows/a.yml", "env: {C: npx a}\njobs: {a: {steps: [{run: $C --b}]}}", "2 a/step 1: npx npm a unversioned")
	checkLaunches(t, "Makefile", "NPX ?= npx --yes\nU := $(shell which uvx)\nR = $(NPX) c # d\nX = y\nl:\n\t$(NPX) a\n\t@$(U) b\n\t$(R)\n\t$(X) z\n",
		"6 l: npx npm a unversioned", "7 l: uvx pypi b unversioned", "8 l: npx npm c unversioned")
}

// TestTextsInTexts holds that a script which calls itself by its own text ends, and
// that it is said.
func TestTextsInTexts(t *testing.T) {
	for _, script := range []string{"A='eval $A # npx'; eval $A", "A='eval $A; eval $A # npx'\n$A\n", "alias a='alias a=\"npx\"'\nX=npx$X$X; X=a$X$X; X=b$X$X; $X"} {
		_, inv := launchesIn(t, map[string]string{"a.sh": script})
		for _, in := range inv.Inputs {
			if len(in.Problems) > 1 {
				t.Errorf("%q: one place is enough: %+v", script, in.Problems)
			}
		}
	}
	if _, inv := launchesIn(t, map[string]string{"a.sh": "A='eval $A # npx'; eval $A"}); len(inv.Inputs) != 1 || !inv.Incomplete() {
		t.Errorf("nobody hears that a script was left unread: %+v", inv.Inputs)
	}
}
