package mcp

import (
	"strings"
	"testing"
)

func TestBatchFiles(t *testing.T) {
	for _, tc := range []struct {
		script string
		want   []string
	}{
		{"@echo off\r\nsetlocal\r\ncd /d \"%~dp0\"\r\nrem npx no\r\n:: npx no\r\n  @rem npx no & npx no\r\necho npx no\r\nwhere npx >nul 2>&1\r\ngoto :npx\r\n:npx\r\nnode x.js\r\n", nil},
		{"@call npx a@1.0.0 --b > out.txt 2>&1 && npx.cmd b || npx c & npx d | more", []string{
			"1 npx: npx npm a@1.0.0 exact", "1 npx: npx npm b unversioned", "1 npx: npx npm c unversioned", "1 npx: npx npm d unversioned"}},
		{"npx -y ^\r\n  a ^\r\n  --b\r\nnpx c", []string{"1 npx: npx npm a unversioned", "4 npx: npx npm c unversioned"}},
		{"start \"\" /b npx a\nstart /d C:\\x \"title\" npx no\nstart \"t\" /min cmd /c npx b", []string{"1 npx: npx npm a unversioned", "2 npx: npx npm no unversioned", "3 npx: npx npm b unversioned"}},
		{"if not exist x (\n  npx a\n) else if \"%1\"==\"\" (npx b) else npx c\nif errorlevel 1 npx d\nif /i %X% NEQ 1 npx e", []string{
			"2 npx: npx npm a unversioned", "3 npx: npx npm b unversioned", "3 npx: npx npm c unversioned", "4 npx: npx npm d unversioned", "5 npx: npx npm e unversioned"}},
		{"for %%i in (a b c) do (\n  uvx x==1\n)\nfor /f \"tokens=*\" %%v in ('npx b') do set V=%%v\nfor %%f in (*.js) do npx c %%f", []string{
			"2 uvx: uvx pypi x==1 exact", "4 npx: npx npm b unversioned", "5 npx: npx npm c unversioned"}},
		{"set \"CMD=npx -y a\"\nset X=npx\n%CMD% --b\ncall %X% c\n%cmd% \"d e\"", []string{"3 npx: npx npm a unversioned", "4 npx: npx npm c unversioned", "5 npx: npx npm a unversioned"}},
		{"powershell -NoProfile -Command \"npx a; npx b\"\ncmd /c \"npx c && npx d\"", []string{
			"1 npx: npx npm a unversioned", "1 npx: npx npm b unversioned", "2 npx: npx npm c unversioned", "2 npx: npx npm d unversioned"}},
		{"docker run --rm -v \"%cd%:/x\" a:1", []string{"1 docker run: docker run oci a:1 tag"}},
		{"n^px a\r\n;,=npx b\r\nnp^\r\nx c", []string{"1 npx: npx npm a unversioned", "2 npx: npx npm b unversioned", "3 npx: npx npm c unversioned"}},
		{"npx %PKG%\nnpx a@%V%", []string{"1 npx: npx unknown ? unknown", "2 npx: npx npm a@%V% unknown"}},
	} {
		checkLaunches(t, "run.bat", tc.script, tc.want...)
		checkLaunches(t, "RUN.CMD", tc.script, tc.want...)
	}
}

func TestPowershellScripts(t *testing.T) {
	for _, tc := range []struct {
		script string
		want   []string
	}{
		{"# npx no\n<#\nnpx no\n#>\nWrite-Host \"npx no\" # npx no\n$help = 'npx no'\n\"npx no\"\nGet-Command npx -ErrorAction Stop\n", nil},
		{"npx -y `\r\n  a `\r\n  --b\r\nnpx c; npx d | Out-Null\r\n& npx e\r\n& \"npx\" f", []string{
			"1 npx: npx npm a unversioned", "4 npx: npx npm c unversioned", "4 npx: npx npm d unversioned", "5 npx: npx npm e unversioned", "6 npx: npx npm f unversioned"}},
		{"if (Get-Command npx) { npx a } else {\n  uvx b\n}\ntry { npx c } catch { throw }\n$v = npx d --version\n$w = $(npx e)\nreturn npx f", []string{
			"1 npx: npx npm a unversioned", "2 uvx: uvx pypi b unversioned", "4 npx: npx npm c unversioned", "5 npx: npx npm d unversioned", "6 npx: npx npm e unversioned", "7 npx: npx npm f unversioned"}},
		{"Start-Process npx -ArgumentList \"-y\",\"a\" -NoNewWindow -Wait\nStart-Process -WorkingDirectory web -FilePath npx -ArgumentList '-y b'\nStart-Job { npx c }", []string{
			"1 npx: npx npm a unversioned", "2 npx: npx npm b unversioned", "3 npx: npx npm c unversioned"}},
		{"Invoke-Expression \"npx a; uvx b\"\n$cmd = 'npx c'\niex $cmd\n$r=\"npx\"\n& $r d", []string{
			"1 npx: npx npm a unversioned", "1 uvx: uvx pypi b unversioned", "3 npx: npx npm c unversioned", "5 npx: npx npm d unversioned"}},
		{"$s = @\"\nnpx no\n\"@\n@'\nnpx no\n'@ | Out-File x\nnpx 'a b' `\"\nnpx c", []string{"7 npx: npx unknown ? unknown", "8 npx: npx npm c unversioned"}},
		{"Write-Host \"v: $(npx a --version x) $(uvx b)\"\n'$(npx no)'\n\"`$(npx no) $x\"", []string{"1 npx: npx npm a unversioned", "1 uvx: uvx pypi b unversioned"}},
		{"npx @rest\nnpx $pkg", []string{"1 npx: npx unknown ? unknown", "2 npx: npx unknown ? unknown"}},
		{"Start-Process npx -ArgumentList @('-y', 'a')\nStart-Process npx -Wait -ArgumentList @(\n  '-y',\n  'b'\n)\n$x = @(\n npx c\n npx d\n)", []string{
			"1 npx: npx npm a unversioned", "2 npx: npx npm b unversioned", "7 npx: npx npm c unversioned", "8 npx: npx npm d unversioned"}},
		{"cmd /c npx a\npwsh -c { npx b }", []string{"1 npx: npx npm a unversioned", "2 npx: npx npm b unversioned"}},
	} {
		checkLaunches(t, "run.ps1", tc.script, tc.want...)
		checkLaunches(t, "run.psm1", tc.script, tc.want...)
	}
}

// TestWindowsFolders holds that a script finds the lockfile of the folder that it
// goes to.
func TestWindowsFolders(t *testing.T) {
	lock := `{"name": "w", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "w", "version": "1.0.0", "dependencies": {"tool": "1.2.3"}},
"node_modules/tool": {"version": "1.2.3", "bin": {"tool": "x.js"}}}}`
	got, _ := launchesIn(t, map[string]string{
		"web/package-lock.json": lock, "web/package.json": `{"name": "w", "version": "1.0.0", "dependencies": {"tool": "1.2.3"}}`,
		"a.bat": "cd web\nnpx tool\ncd /d %~dp0\nnpx tool", "b.ps1": "Set-Location -Path web\nnpx tool\ncd $PSScriptRoot\nnpx tool",
	})
	want := "2 npx: npx npm tool lockfile,4 npx: npx npm tool unversioned,2 npx: npx npm tool lockfile,4 npx: npx npm tool unversioned"
	if strings.Join(got, ",") != want {
		t.Errorf("got %q", got)
	}
}

// TestWindowsTexts holds that a script which calls itself by its own text ends.
func TestWindowsTexts(t *testing.T) {
	for name, data := range map[string]string{
		".github/workflows/a.yml": "env: {X: 'cmd /c %X% npx'}\njobs: {a: {steps: [{shell: cmd, run: '%X%'}]}}",
		".github/workflows/b.yml": "env: {X: 'iex $X; npx'}\njobs: {a: {steps: [{shell: pwsh, run: 'iex $X'}]}}",
	} {
		if _, inv := launchesIn(t, map[string]string{name: data}); len(inv.Inputs) != 1 || !inv.Incomplete() {
			t.Errorf("%s: nobody hears that a script was left unread: %+v", name, inv.Inputs)
		}
	}
	for _, broken := range []string{"\xff\xfen\x00p\x00x\x00 \x00a\x00", "npx a \"", "for %%i in (npx", "(((npx a", "npx ^", "`npx", "@'\nnpx", "<# npx", "npx \"a", "'npx"} {
		launchesIn(t, map[string]string{"a.bat": broken, "a.ps1": broken}) // does not panic
	}
}
