package mcp

import (
	"fmt"
	"slices"
	"testing"
)

// TestComposeRights holds that what a Compose file lets a service do to the machine is
// found, as docker run's options are, and that everyday services are quiet.
func TestComposeRights(t *testing.T) {
	_, inv := launchesIn(t, map[string]string{"compose.yaml": `volumes:
  disk: {driver_opts: {type: none, o: bind, device: /}}
  data: {}
services:
  all: {image: "a:1", privileged: true}
  host:
    image: a:1
    network_mode: host
    pid: "host"
    ipc: host
    cap_add: [NET_BIND_SERVICE, SYS_ADMIN]
    security_opt: ["no-new-privileges:true", "seccomp:unconfined"]
    devices: ["/dev/sda:/dev/x"]
  socket: {image: "a:1", volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"]}
  long: {image: "a:1", volumes: [{type: bind, source: "~/.ssh", target: /k}, {type: volume, source: disk, target: /d}]}
  named: {image: "a:1", volumes: ["disk:/x"]}
  child: {image: "b:1", extends: {service: all}}
  loop: {image: "b:1", extends: loop}
  own: {build: ./web, volumes: ["/:/host"], develop: {watch: [{action: sync+exec, exec: {command: npx d}}]}}
  quiet: {image: "a:1", privileged: false, network_mode: bridge, volumes: ["data:/d", "./src:/src", "/etc/localtime:/etc/localtime:ro"], cap_drop: [ALL]}
  plain: {build: ., volumes: ["./x:/x"]}
`})
	var got []string
	for _, c := range inv.Components {
		if c.Server == nil {
			continue
		}
		for _, r := range c.Server.Risks {
			got = append(got, fmt.Sprintf("%s %d %s %s", c.Server.Name, r.Line, r.Where, r.What))
		}
		if c.Server.Name == "plain" {
			t.Errorf("a folder of the project that may do nothing is no launch: %+v", c.Server)
		}
	}
	slices.Sort(got)
	want := []string{
		"all 5 privileged runs in a container with all rights over the machine",
		"child 5 privileged runs in a container with all rights over the machine",
		"host 10 ipc shares the machine's memory with a container",
		"host 11 cap_add gives a container rights over the machine",
		"host 12 security_opt switches a container's protection off",
		"host 13 devices gives a container the machine's disks or memory",
		"host 8 network_mode shares the machine's network with a container",
		"host 9 pid shares the machine's processes with a container",
		"long 15 volumes mounts a folder of credentials into a container",
		"long 15 volumes mounts the machine's whole disk into a container",
		"named 16 volumes mounts the machine's whole disk into a container",
		"own 19 volumes mounts the machine's whole disk into a container",
		"socket 14 volumes ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("\n got  %q\n want %q", got, want)
	}
}

// TestComposeBuilds holds that an image which is built of a repository elsewhere is a
// launch, and that files are read which a Compose file is put together from.
func TestComposeBuilds(t *testing.T) {
	got, _ := launchesIn(t, map[string]string{
		"compose.yaml": `include: [more/a.yml, {path: [more/b.yml]}]
services:
  git: {build: "https://git.example/o/r.git#v1:web"}
  ctx: {build: {context: "https://u:hush@git.example/o/r.git"}, image: "own:1"}
  tar: {build: "https://h.example/x.tgz"}
  ext: {extends: {file: more/c.yml, service: c}}
`,
		"more/a.yml": "services: {a: {image: 'a:1'}}\n", "more/b.yml": "services: {b: {image: 'b:1'}}\n", "more/c.yml": "services: {c: {image: 'c:1', privileged: true}}\n",
	})
	want := []string{
		"3 git: compose build git https://git.example/o/r.git#v1 git-ref", "4 ctx: image oci own:1 tag", "4 ctx: compose build git https://git.example/o/r.git git-unpinned",
		"5 tar: compose build unknown https://h.example/x.tgz unknown", "1 a: image oci a:1 tag", "1 b: image oci b:1 tag", "1 c: image oci c:1 tag",
	}
	if !slices.Equal(got, want) {
		t.Errorf("\n got  %q\n want %q", got, want)
	}
}
