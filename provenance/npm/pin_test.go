package npm

import (
	"errors"
	"strings"
	"testing"

	"countermark/provenance/trust"
)

func TestPinKeys(t *testing.T) {
	const acme = "https://npm.acme.example/"
	file := func(registry string) *trust.Keys { return &trust.Keys{Source: trust.SourceFile, Registry: registry} }
	for name, tt := range map[string]struct {
		registry string // the configured one
		keys     *trust.Keys
		others   []*trust.Keys
		want     string // whose keys there are, those of the configured registry first; empty where it is refused
	}{
		"embedded":                     {acme, nil, nil, PublicRegistry},
		"of the configured registry":   {acme, file(""), nil, acme + " " + PublicRegistry},
		"of the public one":            {PublicRegistry, file(""), nil, PublicRegistry},
		"of another":                   {PublicRegistry, nil, []*trust.Keys{file(acme)}, PublicRegistry + " " + acme},
		"of the public one by its URL": {acme, nil, []*trust.Keys{file(PublicRegistry)}, PublicRegistry},
		"of both":                      {acme, file(""), []*trust.Keys{file(PublicRegistry)}, acme + " " + PublicRegistry},
		"twice by URL":                 {PublicRegistry, nil, []*trust.Keys{file(acme), file("https://NPM.acme.example:443")}, ""},
		"twice, once by URL":           {acme, file(""), []*trust.Keys{file(acme)}, ""},
		"the public one's twice":       {PublicRegistry, file(""), []*trust.Keys{file(PublicRegistry)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := NewConfig(Sources{Registry: tt.registry})
			if err != nil {
				t.Fatal(err)
			}
			m, err := trust.Embedded()
			if err != nil {
				t.Fatal(err)
			}
			if tt.keys != nil {
				m.Keys = tt.keys
			}
			m.OtherKeys = tt.others
			err = config.PinKeys(m)
			if tt.want == "" {
				if e, ok := errors.AsType[*ConfigError](err); !ok || !strings.Contains(e.Error(), "--npm-keys: gives the keys of ") {
					t.Errorf("got %v, want an error about keys that are given twice", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			registries := []string{m.Keys.Registry}
			for _, k := range m.OtherKeys {
				registries = append(registries, k.Registry)
			}
			if got := strings.Join(registries, " "); got != tt.want {
				t.Errorf("they are those of %s, want %s", got, tt.want)
			}
		})
	}
}
