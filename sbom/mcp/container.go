package mcp

import (
	"path"
	"slices"
	"strings"

	"countermark/sbom"
	"countermark/sbom/lazyregexp"

	"github.com/package-url/packageurl-go"
)

// The options of `docker run`, `podman run` and `nerdctl run`, by whether they
// take a value. What is in neither table makes the image ambiguous.
var (
	containerRun = options{cluster: true,
		value: set(`--add-host --annotation -a --attach --blkio-weight --blkio-weight-device --cap-add --cap-drop
			--cgroup-parent --cgroupns --cidfile --cpu-count --cpu-percent --cpu-period --cpu-quota --cpu-rt-period
			--cpu-rt-runtime -c --cpu-shares --cpus --cpuset-cpus --cpuset-mems --detach-keys --device
			--device-cgroup-rule --device-read-bps --device-read-iops --device-write-bps --device-write-iops --dns
			--dns-opt --dns-option --dns-search --domainname --entrypoint -e --env --env-file --expose --gpus
			--group-add --health-cmd --health-interval --health-retries --health-start-interval
			--health-start-period --health-timeout -h --hostname --io-maxbandwidth --io-maxiops --ip --ip6 --ipc
			--isolation --kernel-memory -l --label --label-file --link --link-local-ip --log-driver --log-opt
			--mac-address -m --memory --memory-reservation --memory-swap --memory-swappiness --mount --name
			--network --net --network-alias --net-alias --oom-score-adj --pid --pids-limit --platform -p --publish
			--pull --restart --runtime --security-opt --shm-size --stop-signal --stop-timeout --storage-opt
			--sysctl --tmpfs --ulimit -u --user --userns --uts -v --volume --volume-driver --volumes-from -w
			--workdir --secret --arch --os --variant --authfile --creds --cert-dir --pod --pod-id-file --requires
			--sdnotify --seccomp-policy --subgidname --subuidname --timeout --tz --umask --uidmap --gidmap
			--chrootdirs --conmon-pidfile --decryption-key --env-merge --hostuser --image-volume --init-path
			--passwd-entry --group-entry --pidfile --preserve-fd --preserve-fds --rdt-class --retry --retry-delay
			--shm-size-systemd --systemd --unsetenv --gpu --snapshotter --cosign-key --verify`),
		boolean: set(`-d --detach --disable-content-trust --help --init -i --interactive --no-healthcheck
			--oom-kill-disable --privileged -P --publish-all -q --quiet --read-only --rm --sig-proxy -t --tty
			--use-api-socket --replace --rmi --tls-verify --no-hosts --no-hostname --http-proxy --passwd
			--read-only-tmpfs --rootfs --unsetenv-all --env-host`),
	}
	containerExec = options{cluster: true,
		value:   set("--detach-keys -e --env --env-file -u --user -w --workdir --cidfile --preserve-fds"),
		boolean: set("-d --detach -i --interactive -t --tty --privileged -l --latest"),
	}
	containerGlobal = options{cluster: true,
		value: set(`-c --context --config -H --host -l --log-level --tlscacert --tlscert --tlskey --connection --identity
			--url --root --runroot --storage-driver --namespace -n --address -a --storage-opt --runtime --cgroup-manager --module`),
		boolean: set("-D --debug --tls --tlsverify -r --remote"),
	}
)

// container is the command lines of docker and its likes.
func container(s *scan, p string, command word, args []word, depth int) []subject {
	global := containerGlobal.parse(args)
	if global.unclear != nil {
		return named(p, []subject{ambiguous(*global.unclear)})
	}
	rest := global.rest
	if len(rest) > 1 && rest[0].text == "container" {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return nil
	}
	sub, rest := rest[0].text, rest[1:]
	switch sub {
	case "run", "create":
		return s.containerRun(p+" "+sub, command, rest, depth)
	case "exec":
		return s.containerExec(p+" exec", command, rest, depth)
	case "compose", "compose-run":
		return append(named(p+" compose", []subject{unknown(command.at, "the compose file says what runs")}), s.mentioned(rest, true, depth)...)
	case "mcp":
		return named(p+" mcp", []subject{unknown(command.at, "the gateway says what runs")})
	case "start", "attach", "restart":
		return named(p+" "+sub, []subject{unknown(command.at, "an existing container is started, and its image is not named")})
	default:
		return nil
	}
}

func (s *scan) containerRun(launcher string, command word, args []word, depth int) []subject {
	p := containerRun.parse(args)
	s.containerEnv(p)
	s.containerRights(p)
	switch {
	case p.unclear != nil:
		s.loudRights(args)
		return named(launcher, []subject{ambiguous(*p.unclear)})
	case len(p.rest) == 0:
		return named(launcher, []subject{unknown(command.at, "no image is named")})
	case p.has("--rootfs"):
		return append(named(launcher, []subject{unknown(p.rest[0].at, "a folder stands for the image")}), s.inside(p.rest[1:], depth)...)
	case p.rest[0].open:
		return named(launcher, []subject{ambiguous(p.rest[0])})
	}
	out := named(launcher, []subject{image(p.rest[0])})
	inner := p.rest[1:]
	if entry := p.values("--entrypoint"); len(entry) > 0 && entry[len(entry)-1].text != "" {
		inner = append([]word{entry[len(entry)-1]}, inner...)
	}
	if c := out[0].component; c != nil && len(p.values("--entrypoint")) == 0 {
		out = append(out, nested(s.proxied(c.Name, inner, depth))...) // the image of a proxy has its name
	}
	return append(out, s.inside(inner, depth)...)
}

func (s *scan) containerExec(launcher string, command word, args []word, depth int) []subject {
	p := containerExec.parse(args)
	s.containerEnv(p)
	s.containerRights(p)
	switch {
	case p.unclear != nil:
		return named(launcher, []subject{ambiguous(*p.unclear)})
	case len(p.rest) == 0:
		return named(launcher, []subject{unknown(command.at, "no container is named")})
	}
	out := []subject{{at: p.rest[0].at, launcher: launcher, launch: sbom.Launch{
		Kind: sbom.KindContainerExec, Pin: sbom.PinUnknown, Spec: redact(p.rest[0].text),
	}}}
	return append(out, s.inside(p.rest[1:], depth)...)
}

// inside is what a container is told to run. It does not see the folder of the
// project.
func (s *scan) inside(inner []word, depth int) []subject {
	if len(inner) == 0 {
		return nil
	}
	away := s.away
	s.away = true
	out := nested(worthNaming(s.command(inner, depth+1)))
	s.away = away
	return out
}

func (s *scan) containerEnv(p parsed) {
	for _, v := range p.values("-e", "--env") {
		name, value, _ := strings.Cut(v.text, "=")
		s.name(name)
		s.credential("", s.env[len(s.env)-1], value)
		if variableSecret(name, value) {
			s.risk(sbom.RiskSecret, v.at)
		}
		if tlsOff(name, value) {
			s.risk(sbom.RiskInsecureRemote, v.at)
		}
		// Folders in a variable are the container's, which the image says.
		if !slices.Contains(pathVariables, strings.ToLower(name)) {
			s.originVariable(name, value, v.at)
		}
	}
}

var (
	imagePath   = lazyregexp.New(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	imageHost   = lazyregexp.New(`^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?$`)
	imageTag    = lazyregexp.New(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	imageDigest = lazyregexp.New(`^sha256:[0-9a-f]{64}$`)
)

// image reads [host[:port]/]path[:tag][@digest], the reference grammar of OCI
// registries.
func image(w word) subject {
	// podman also takes the transport of a registry.
	name, digest, hasDigest := strings.Cut(strings.TrimPrefix(strings.TrimSpace(w.text), "docker://"), "@")
	if name == "" || isVariable(name) && !strings.Contains(name, "/") {
		return unknown(w.at, "the image is named by a variable")
	}
	tag := ""
	// A tag may hold a variable with a colon in it: ${TAG:-1}.
	base := name[:len(name)-len(afterVariable(name))]
	if i := strings.LastIndex(base, ":"); i > strings.LastIndex(base, "/") {
		name, tag = name[:i], name[i+1:]
	}
	host, rest := splitHost(name)
	repository := host + "/" + rest
	digest = strings.ToLower(digest)
	templated := template.MatchString(tag)
	switch {
	case template.MatchString(name):
		return unknown(w.at, "the image is named by a variable")
	case !imageHost.MatchString(host) || !imagePath.MatchString(rest),
		tag != "" && !templated && !imageTag.MatchString(tag), hasDigest && !imageDigest.MatchString(digest):
		return unknown(w.at, "what stands for the image is no reference to one")
	case slices.ContainsFunc(strings.Split(rest, "/"), sbom.LooksSecret):
		return unknown(w.at, "what stands for the image looks like a credential")
	}
	out := subject{at: w.at, launch: sbom.Launch{Kind: sbom.KindOCI, Spec: name}}
	if tag != "" {
		out.launch.Spec += ":" + redact(tag)
		out.launch.Request = redact(tag)
	}
	qualifiers := map[string]string{"repository_url": strings.ToLower(repository)}
	if tag != "" && !templated {
		qualifiers["tag"] = redact(tag)
	}
	switch {
	case hasDigest:
		out.launch.Spec += "@" + digest
		out.launch.Pin, out.launch.Request = sbom.PinDigest, digest
	case templated:
		out.launch.Pin = sbom.PinUnknown
	default:
		out.launch.Pin = sbom.PinTag
	}
	out.component = &sbom.Component{
		Type: sbom.Container, Ecosystem: sbom.OCI, Name: path.Base(rest), Version: digest, Source: sbom.FromRegistry,
		PURL: packageurl.NewPackageURL("oci", "", path.Base(rest), digest, packageurl.QualifiersFromMap(qualifiers), "").ToString(),
	}
	return out
}

// afterVariable returns the text from the first variable on.
func afterVariable(s string) string {
	if i := strings.IndexAny(s, "$%<{"); i >= 0 {
		return s[i:]
	}
	return ""
}

// splitHost splits the registry from the path, with Docker's defaults.
func splitHost(name string) (host, rest string) {
	first, after, ok := strings.Cut(name, "/")
	if ok && (strings.ContainsAny(first, ".:") || first == "localhost" || first != strings.ToLower(first)) {
		if first == "index.docker.io" || first == "registry-1.docker.io" {
			first = "docker.io"
		}
		if first == "docker.io" && !strings.Contains(after, "/") {
			after = "library/" + after
		}
		return first, after
	}
	if !ok {
		name = "library/" + name
	}
	return "docker.io", name
}
