package advisory

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openvex/go-vex/pkg/vex"
	"github.com/package-url/packageurl-go"
)

// VEXOptions say for what and by whom a document speaks.
type VEXOptions struct {
	Package  string    // the project's: a Go module's path or a package URL
	Releases []string  // versions the document speaks of
	Author   string    // who says so
	Time     time.Time // when
	ID       string    // IRI of the document; made from its content if empty
	Version  int       // of the document; 1 if zero
}

// VEX says of each release where it stands with each vulnerability. The same
// input always gives the same bytes.
func VEX(list []Advisory, o VEXOptions) ([]byte, error) {
	switch {
	case o.Package == "":
		return nil, errors.New("VEX: name the package")
	case len(o.Releases) == 0:
		return nil, errors.New("VEX: name the releases that it speaks of: it is about products, not about ranges")
	case o.Author == "" || o.Time.IsZero():
		return nil, errors.New("VEX: say who says so, and when")
	}
	products := map[string]string{}
	for _, release := range o.Releases {
		if canonical(release) == "" {
			return nil, fmt.Errorf("VEX: %q is no version", release)
		}
		_, _, purl, err := identify(o.Package)
		if err != nil {
			return nil, err
		}
		p, err := packageurl.FromString(purl)
		if err != nil {
			return nil, fmt.Errorf("package %q: %w", o.Package, err)
		}
		p.Version = "v" + strings.TrimPrefix(release, "v")
		if p.Type != packageurl.TypeGolang {
			p.Version = strings.TrimPrefix(release, "v")
		}
		products[release] = p.ToString()
	}
	at := o.Time.UTC().Truncate(time.Second)
	document := vex.VEX{Metadata: vex.Metadata{Context: vex.ContextLocator(), ID: o.ID, Author: o.Author, Timestamp: &at, Version: max(1, o.Version)}}
	for _, a := range list {
		if err := a.Validate(); err != nil {
			return nil, err
		}
		for _, release := range o.Releases {
			s := a.statement(o.Package, release, products[release])
			if err := s.Validate(); err != nil {
				return nil, fmt.Errorf("%s: %w", a.ID, err)
			}
			document.Statements = append(document.Statements, s)
		}
	}
	if len(document.Statements) == 0 {
		return nil, errors.New("VEX: there is nothing to say: no advisory was read")
	}
	slices.SortStableFunc(document.Statements, func(x, y vex.Statement) int {
		if c := strings.Compare(string(x.Vulnerability.Name), string(y.Vulnerability.Name)); c != 0 {
			return c
		}
		return strings.Compare(x.Products[0].ID, y.Products[0].ID)
	})
	if _, err := document.GenerateCanonicalID(); err != nil {
		return nil, fmt.Errorf("VEX: %w", err)
	}
	var b bytes.Buffer
	if err := document.ToJSON(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (a Advisory) statement(pkg, release, purl string) vex.Statement {
	standing, remedy := a.Stands(pkg, release)
	s := vex.Statement{
		Vulnerability: vex.Vulnerability{Name: vex.VulnerabilityID(a.ID), Description: a.Title},
		Products:      []vex.Product{{Component: vex.Component{ID: purl, Identifiers: map[vex.IdentifierType]string{vex.PURL: purl}}}},
		Status:        vex.Status(standing),
	}
	switch standing {
	case IsAffected:
		s.ActionStatement = "No fixed version is known."
		if remedy != "" {
			s.ActionStatement = "Update to " + remedy + " or a later version of its line."
		}
	case IsNotAffected:
		s.Justification = vex.VulnerableCodeNotPresent
	}
	return s
}
