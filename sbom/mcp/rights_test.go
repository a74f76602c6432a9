package mcp

import (
	"slices"
	"strings"
	"testing"

	"countermark/sbom"

	"github.com/google/go-cmp/cmp"
)

// TestRights holds what a launch may do to the machine, and everyday launches
// that may do nothing beside running on it.
func TestRights(t *testing.T) {
	const (
		all     = "runs in a container with all rights over the machine"
		network = "shares the machine's network with a container"
		disk    = "mounts the machine's whole disk into a container"
		home    = "mounts a whole home into a container"
		keys    = "mounts a folder of credentials into a container"
		system  = "mounts a folder of the system into a container"
		admin   = "runs with the rights of the administrator"
		rights  = "gives a container rights over the machine"
		bare    = "switches a container's protection off"
		devices = "gives a container the machine's disks or memory"
		engine  = "engine"
	)
	run := func(args ...string) []string {
		return slices.Concat([]string{"docker", "run"}, args, []string{"mcp/x", "--privileged", "-v", "/:/x"})
	}
	tests := []struct {
		argv []string
		want []string
	}{
		{run(), nil},
		{run("--privileged"), []string{all}},
		{run("--privileged=true"), []string{all}},
		{run("--privileged=false"), nil},
		{run("--network", "host"), []string{network}},
		{run("--net=host"), []string{network}},
		{run("--network=bridge", "--network", "none", "--ipc", "private"), nil},
		{run("--pid=host", "--ipc", "host"), []string{"shares the machine's processes with a container", "shares the machine's memory with a container"}},
		{run("--userns", "keep-id"), nil},
		{run("--cap-add", "SYS_ADMIN"), []string{rights}},
		{run("--cap-add=CAP_SYS_PTRACE"), []string{rights}},
		{run("--cap-add", "chown,ALL"), []string{rights}},
		{run("--cap-add", "NET_BIND_SERVICE", "--cap-drop", "ALL"), nil},
		{run("--security-opt", "seccomp=unconfined"), []string{bare}},
		{run("--security-opt=label:disable"), []string{bare}},
		{run("--security-opt", "no-new-privileges"), nil},
		{run("--device", "/dev/sda:/dev/xvda"), []string{devices}},
		{run("--device", "/dev/dri"), nil},
		{run("--device-cgroup-rule", "a *:* rwm"), []string{"gives a container devices of the machine"}},
		{run("--use-api-socket"), []string{engine}},
		// Folders and sockets.
		{run("-v", "/var/run/docker.sock:/var/run/docker.sock"), []string{engine}},
		{run("-v/run/docker.sock:/s:ro"), []string{engine}},
		{run("-itv", "/var/run/docker.sock:/x"), []string{engine}},
		{run("-itv=/var/run/docker.sock:/x"), []string{engine}},
		{run("-v=/var/run/docker.sock:/x"), []string{engine}},
		{run("--volume=/var/run:/x"), []string{engine}},
		{run("-v", "/run/user/1000/podman/podman.sock:/x"), []string{engine}},
		{run("-v", "${HOME}/.docker/run/docker.sock:/x"), []string{engine}},
		{run("-v", "${SOCK}:/var/run/docker.sock"), []string{engine}},
		{run("-v", "${SOCK:-/var/run/docker.sock}:/x"), []string{engine}},
		{run("-v", `\\.\pipe\docker_engine:\\.\pipe\docker_engine`), []string{engine}},
		{run("-v", "/var/run/./x/../docker.sock:/x"), []string{engine}},
		{run("--mount", "type=bind,source=/var/run/docker.sock,target=/x"), []string{engine}},
		{run("--mount=type=bind,SRC=/var/run/docker.sock,dst=/x"), []string{engine}},
		{run("--mount", `type=bind,"source=/",target=/x`), []string{disk}},
		{run("--mount", "type=volume,dst=/x,volume-opt=type=none,volume-opt=device=/,volume-opt=o=bind"), []string{disk}},
		{run("-v", "/:/host:ro"), []string{disk}},
		{run("-v", "//:/host"), []string{disk}},
		{run("-v", "/srv/..:/host"), []string{disk}},
		{run("-v", `C:\:/host`), []string{disk}},
		{run("-v", "/mnt/c:/host"), []string{disk}},
		{run("-v", "/home/me:/x"), []string{home}},
		{run("-v", "${env:HOME}:/x"), []string{home}},
		{run("-v", "~:/x"), []string{home}},
		{run("-v", "$HOME/:/x"), []string{home}},
		{run("-v", `C:\Users\me:C:\x`), []string{home}},
		{run("-v", "%USERPROFILE%:/x"), []string{home}},
		{run("-v", "/Users:/x"), []string{home}},
		{run("-v", "~/.ssh:/x"), []string{keys}},
		{run("-v", "/home/me/.aws:/x/.aws:ro"), []string{keys}},
		{run("-v", "/etc:/x"), []string{system}},
		{run("-v", "/proc:/x"), []string{system}},
		{run("-v", "/etc/localtime:/etc/localtime:ro"), nil},
		{run("-v", "data:/x", "-v", "/srv/data:/x", "-v", ".:/x", "-v", "${workspaceFolder}:/w", "-v", "/anonymous"), nil},
		{run("-v", "/home/me/projects/x:/x"), nil},
		{run("--mount", "type=tmpfs,destination=/x"), nil},
		{run("--tmpfs", "/x"), nil},
		// What cannot be parsed hides nothing that stands there plainly.
		{[]string{"docker", "run", "--zz", "x", "--privileged", "y"}, []string{all}},
		{[]string{"docker", "run", "--zz", "-v", "/var/run/docker.sock:/x", "y"}, []string{engine}},
		{[]string{"docker", "exec", "--privileged", "c", "x"}, []string{all}},
		{[]string{"podman", "run", "--privileged", "x"}, []string{all}},
		{[]string{"bash", "-c", "docker run --privileged x"}, []string{all}},
		{[]string{"bash", "-c", "docker run -v /var/run/docker.sock:/x y; echo"}, []string{engine}},
		{[]string{"docker run --net host x"}, []string{network}},
		{[]string{"npx", "supergateway", "--stdio", "docker run --net host x"}, []string{network}},
		{[]string{"docker", "run", "x", "docker", "run", "--net", "host", "y"}, []string{network}},
		// The administrator.
		{[]string{"sudo", "npx", "foo"}, []string{admin}},
		{[]string{"sudo", "-E", "-u", "root", "npx", "foo"}, []string{admin}},
		{[]string{"sudo", "-u", "${WHO}", "npx", "foo"}, []string{admin}},
		{[]string{"sudo", "-u", "nobody", "npx", "foo"}, nil},
		{[]string{"/usr/bin/sudo", "npx", "foo"}, []string{admin}},
		{[]string{"doas", "npx", "foo"}, []string{admin}},
		{[]string{"pkexec", "npx", "foo"}, []string{admin}},
		{[]string{"bash", "-c", "sudo npx foo; echo"}, []string{admin}},
		{[]string{"cmd", "/c", "gsudo", "npx", "foo"}, []string{admin}},
		{[]string{"pwsh", "-c", "cd x; gsudo npx foo | y"}, []string{admin}},
		{[]string{"wsl", "-u", "root", "npx", "foo"}, []string{admin}},
		{[]string{"wsl", "npx", "foo"}, nil},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.argv, " "), func(t *testing.T) {
			s := &scan{}
			s.command(argv(tt.argv...), 0)
			var got []string
			for _, r := range s.risks {
				switch r.Code {
				case sbom.RiskEngine:
					got = append(got, engine)
				case sbom.RiskPrivileged:
					got = append(got, r.What)
				}
				if r.Where == "" || r.Line == 0 {
					t.Errorf("no place: %+v", r)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	inv := read(t, map[string]string{".mcp.json": `{"mcpServers": {"a": {
		"command": "docker", "args": ["run", "-e", "GITHUB_TOKEN", "-e", "REGION=x", "mcp/x", "--api-key", "${input:key}", "--header", "X-Auth-Token: ${T}", "--max-tokens", "5"],
		"env": {"POSTMARK_SERVER_TOKEN": "${input:t}", "DATABASE_PASSWORD": "x", "LOG_LEVEL": "debug", "ghp_MARKERmarker0123456789MARKERmarker01": "1"},
		"headers": {"Authorization": "Bearer ${T}", "Accept": "x"}}}}`})
	got := serversOf(inv)[0].Credentials
	want := []string{"--api-key", "DATABASE_PASSWORD", "GITHUB_TOKEN", "POSTMARK_SERVER_TOKEN", "header Authorization", "header X-Auth-Token"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
