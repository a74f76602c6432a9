package sbom

import (
	"errors"
	"net/mail"
	"net/url"
	"strings"
)

// Contact is a person or an organisation.
type Contact struct {
	Name  string
	Email string // empty where none was given
	URL   string // of an organisation; empty where none was given
}

var errContact = errors.New("expected a name, and an email address or an https URL in angle brackets")

// ParseContact parses "NAME", "NAME <EMAIL>" or "NAME <https URL>".
func ParseContact(text string) (Contact, error) {
	name, rest, has := strings.Cut(text, "<")
	c := Contact{Name: strings.TrimSpace(name)}
	address, closed := strings.CutSuffix(strings.TrimSpace(rest), ">")
	switch {
	case c.Name == "" || has != closed:
		return Contact{}, errContact
	case !has:
	case strings.HasPrefix(address, "https://"):
		if _, err := url.Parse(address); err != nil {
			return Contact{}, errContact
		}
		c.URL = address
	default:
		parsed, err := mail.ParseAddress(address)
		if err != nil || parsed.Address != address {
			return Contact{}, errContact
		}
		c.Email = address
	}
	return c, nil
}
