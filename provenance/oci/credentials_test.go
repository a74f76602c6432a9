package oci

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestConfigFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		env  map[string]string
		home string
		want []string
	}{
		"a user's":  {nil, "home", []string{"home/.config/containers/auth.json", "home/.docker/config.json"}},
		"moved":     {map[string]string{"XDG_RUNTIME_DIR": "run", "XDG_CONFIG_HOME": "conf", "DOCKER_CONFIG": "docker"}, "home", []string{"run/containers/auth.json", "conf/containers/auth.json", "docker/config.json"}},
		"one alone": {map[string]string{"REGISTRY_AUTH_FILE": "auth.json", "DOCKER_CONFIG": "docker"}, "home", []string{"auth.json"}},
		"no home":   {map[string]string{"DOCKER_CONFIG": "docker"}, "", []string{"docker/config.json"}},
		"nobody's":  {nil, "", nil},
	} {
		got := ConfigFiles(func(name string) string { return tt.env[name] }, tt.home)
		for i := range got {
			got[i] = filepath.ToSlash(got[i])
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestReadCredentials(t *testing.T) {
	files := map[string]string{
		"first":  `{"auths":{"registry.example":{"auth":"Zmlyc3Q6c2VjcmV0"}}}`, // first:secret
		"second": `{"auths":{"registry.example":{"auth":"c2Vjb25kOnNlY3JldA=="},"other.example":{"auth":"c2Vjb25kOnNlY3JldA=="}}}`,
		"broken": `{"auths":{"registry.example":{"auth":"s3cret!"}}}`,
	}
	read := func(name string, _ int64) ([]byte, error) {
		switch data, ok := files[name]; {
		case ok:
			return []byte(data), nil
		case name == "locked":
			return nil, errors.New("permission denied")
		default:
			return nil, fs.ErrNotExist
		}
	}
	all, err := ReadCredentials([]string{"nowhere", "first", "second"}, read)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"registry.example": "first", "other.example": "second", "third.example": ""} {
		if got := all.of(t.Context(), host).Username; got != want {
			t.Errorf("%s: the user is %q, want %q", host, got, want)
		}
	}
	for name, want := range map[string]string{"locked": "locked: cannot be read: permission denied", "broken": "broken: it is no configuration of Docker"} {
		_, err := ReadCredentials([]string{"first", name}, read)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}
