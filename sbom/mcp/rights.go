package mcp

import (
	"encoding/csv"
	"path"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"
)

// What a launch may do to the machine beside running on it: containers that are
// none, and programs with the rights of the administrator. Each is noticed with
// words of ours; paths and values stay in the file.

// administrators are wrappers that give their command the rights of the
// administrator, with the options that name another user.
var administrators = map[string][]string{
	"sudo": set("-u --user"), "doas": set("-u"), "pkexec": set("-u --user"), "run0": set("-u --user"), "gsudo": set("-u --user"), "wsl": set("-u --user"),
}

// asAdministrator notes a wrapper of administrators. Only one that names a user
// who is not the administrator takes rights away; wsl gives none by itself.
func (s *scan) asAdministrator(p string, head word, parsed parsed) {
	naming, ok := administrators[p]
	if !ok {
		return
	}
	at, given := head.at, parsed.values(naming...)
	if len(given) > 0 {
		at = given[len(given)-1].at
	}
	switch {
	case len(given) == 0 && p == "wsl":
		return
	case len(given) > 0 && plainName.FindString("-"+given[len(given)-1].text) != "" && !oneOf("root 0 Administrator", given[len(given)-1].text):
		return
	}
	s.privileged(at, "runs with the rights of the administrator")
}

func (s *scan) privileged(at place, what string) {
	r := sbom.Risk{Code: sbom.RiskPrivileged, Where: at.where, Line: at.line, Column: at.column, What: what}
	s.addRisk(r)
}

// hostNamespaces are the options that share something of the machine where their
// value is "host", or another process's.
var hostNamespaces = map[string]string{
	"--network": "network", "--net": "network", "--pid": "processes", "--ipc": "memory",
	"--uts": "name", "--userns": "users", "--cgroupns": "control groups",
}

// capabilities are those with which a container reaches the machine.
var capabilities = set(`all sys_admin sys_ptrace sys_module sys_rawio sys_boot sys_chroot sys_time dac_read_search
	net_admin bpf perfmon mac_admin mac_override syslog setfcap checkpoint_restore linux_immutable wake_alarm`)

// unconfined are the security options that switch a protection off.
var unconfined = lazyregexp.New(`(?i)[=:](unconfined|disabled?)$`)

// rawDevices give the machine's memory or disks.
var rawDevices = lazyregexp.New(`^/dev(/(mem|kmem|port|kcore|sd|hd|vd|xvd|nvme|mmcblk|disk|mapper|dm-|loop|md|root|rdisk|block)[^:]*)?/?(:|$)`)

// containerRights judges the options of a container.
func (s *scan) containerRights(p parsed) {
	for _, o := range p.options {
		switch {
		case o.name == "--privileged" && (o.value == nil || o.value.text != "false"):
			s.privileged(p.place(o), "runs in a container with all rights over the machine")
		case o.name == "--use-api-socket" && (o.value == nil || o.value.text != "false"):
			s.risk(sbom.RiskEngine, p.place(o))
		case o.value == nil:
		case o.name == "-v" || o.name == "--volume":
			source, target := splitVolume(o.value.text)
			s.mounted(source, target, o.value.at)
		case o.name == "--mount":
			s.mount(*o.value)
		default:
			s.containerRight(o)
		}
	}
}

func (s *scan) containerRight(o option) {
	value := strings.ToLower(strings.TrimSpace(o.value.text))
	switch o.name {
	case "--cap-add":
		for one := range strings.SplitSeq(value, ",") {
			if slices.Contains(capabilities, strings.TrimPrefix(one, "cap_")) {
				s.privileged(o.value.at, "gives a container rights over the machine")
			}
		}
	case "--security-opt":
		if unconfined.MatchString(value) {
			s.privileged(o.value.at, "switches a container's protection off")
		}
	case "--device":
		if rawDevices.MatchString(path.Clean(o.value.text)) {
			s.privileged(o.value.at, "gives a container the machine's disks or memory")
		}
	case "--device-cgroup-rule":
		s.privileged(o.value.at, "gives a container devices of the machine")
	default:
		if what := hostNamespaces[o.name]; what != "" && (value == "host" || strings.HasPrefix(value, "ns:/proc/1/")) {
			s.privileged(o.value.at, "shares the machine's "+what+" with a container")
		}
	}
}

// place is where an option stands. A switch has no word of its own here.
func (p parsed) place(o option) place {
	if o.value != nil {
		return o.value.at
	}
	return o.at
}

// splitVolume takes SOURCE:TARGET[:OPTIONS] apart. A drive has a colon, too, and
// so has a variable with a fallback.
func splitVolume(text string) (source, target string) {
	start := 0
	if windowsDrive.MatchString(text) {
		start = 2
	}
	depth := 0
	for i := start; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			depth--
		case ':':
			if depth <= 0 {
				source, rest := text[:i], text[i+1:]
				from := 0
				if windowsDrive.MatchString(rest) {
					from = 2
				}
				if end := strings.IndexByte(rest[from:], ':'); end >= 0 {
					rest = rest[:from+end]
				}
				return source, rest
			}
		}
	}
	return "", text
}

// mount reads --mount, a line of comma-separated values.
func (s *scan) mount(w word) {
	fields, err := csv.NewReader(strings.NewReader(w.text)).Read()
	if err != nil {
		fields = strings.Split(w.text, ",")
	}
	source, target := "", ""
	for _, f := range fields {
		key, value, _ := strings.Cut(strings.TrimSpace(f), "=")
		key = strings.ToLower(key)
		if key == "volume-opt" {
			// A volume can be a folder of the machine, too: device=/.
			if device, ok := strings.CutPrefix(value, "device="); ok {
				key, value = "source", device
			}
		}
		switch key {
		case "source", "src":
			source = value
		case "target", "destination", "dst":
			target = value
		}
	}
	s.mounted(source, target, w.at)
}

var (
	// engineSocket is where a container engine listens, whoever has renamed it.
	engineSocket = lazyregexp.New(`(?i)(docker|podman|containerd|crio|cri-dockerd|buildkitd)[^/]*\.sock(\.raw)?$|/pipe/(docker|podman|dockerdesktop)[a-z_]*$`)
	// engineFolder is a folder in which it listens.
	engineFolder = lazyregexp.New(`^(/var)?/run(/(docker|podman|containerd|crio|user(/[^/]+(/(docker|podman))?)?))?$`)
	// wholeDisk is the machine's root, or a drive.
	wholeDisk = lazyregexp.New(`(?i)^(/|[a-z]:/?|/(mnt/|host_mnt/|cygdrive/)?[a-z]|/(mnt|host_mnt|volumes))$`)
	// everyHome holds the folders of all users.
	everyHome = lazyregexp.New(`(?i)^((/(mnt/|host_mnt/)?[a-z]|[a-z]:)?/users|/home|/var/home)$`)
	// systemFolder holds what the machine runs by.
	systemFolder = lazyregexp.New(`^/(etc|proc|sys|dev|boot|var|var/lib|var/lib/(docker|containers|kubelet)|usr|bin|sbin|lib|lib64|opt|root|private|private/(etc|var)|system|library)(/.*)?$`)
	// mildFolder are those below systemFolder that say nothing about the machine.
	mildFolder = lazyregexp.New(`^(/etc/(localtime|timezone|ssl|ca-certificates|pki|hosts|resolv\.conf)|/usr/(local/)?share|/usr/src|/dev/(shm|dri|null|zero|u?random|snd|video)|/var/(folders|tmp|lib/[^/]+|log|www|data|opt|cache)|/private/(tmp|var/folders)|/opt/[^/]+|/sys/(class|fs/cgroup)|/lib/modules)`)
	// credentialFolder is where a home keeps them.
	credentialFolder = lazyregexp.New(`(?i)/\.(ssh|aws|gnupg|kube|docker|azure|npmrc|netrc|config|password-store|git-credentials|local/share/keyrings)(/|$)`)
)

// mounted judges a folder or socket of the machine that a container is given. To
// read is enough: that it is mounted read-only saves nobody's keys.
func (s *scan) mounted(source, target string, at place) {
	from, to := slashed(strings.TrimSpace(source)), slashed(strings.TrimSpace(target))
	if from == "" || !strings.ContainsAny(from, "/$%~") && !windowsDrive.MatchString(source) && !strings.HasSuffix(from, ":") {
		return // a volume of the engine, or a new one
	}
	// What a variable falls back to is what most will have.
	if m := fallback.FindStringSubmatch(from); len(m) > 2 && m[0] == from {
		from = m[2]
	}
	atHome := homeVariable.FindString(from)
	if atHome == "" || strings.Contains(from, "..") {
		from = path.Clean(strings.TrimPrefix(from, "file://"))
	}
	from = strings.TrimSuffix(from, "/")
	if from == "" {
		from = "/"
	}
	switch {
	case engineSocket.MatchString(from), engineSocket.MatchString(to), engineFolder.MatchString(from):
		s.risk(sbom.RiskEngine, at)
	case wholeDisk.MatchString(from):
		s.privileged(at, "mounts the machine's whole disk into a container")
	case home.MatchString(from), everyHome.MatchString(from):
		s.privileged(at, "mounts a whole home into a container")
	case credentialFolder.MatchString(from):
		s.privileged(at, "mounts a folder of credentials into a container")
	case systemFolder.MatchString(from) && !mildFolder.MatchString(from):
		s.privileged(at, "mounts a folder of the system into a container")
	}
}

// loudRights is containerRights for a command line with an option that cannot be
// told: what stands there plainly is noticed all the same.
func (s *scan) loudRights(args []word) {
	for _, w := range args {
		switch {
		case w.text == "--privileged" || w.text == "--privileged=true":
			s.privileged(w.at, "runs in a container with all rights over the machine")
		case strings.Contains(w.text, ":") || strings.Contains(w.text, "source=") || strings.Contains(w.text, "src="):
			if source, _ := splitVolume(w.text); engineSocket.MatchString(slashed(source)) {
				s.risk(sbom.RiskEngine, w.at)
			}
		}
	}
}
