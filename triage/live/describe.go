package live

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Hand says who set something, and when.
type Hand struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Description is what people say of a cluster, or what was found. It stays when
// clusters are sorted anew: a cluster that goes up in another leaves it to that
// one, unless that one has its own.
type Description struct {
	// Owner is who is to look at it; if it is empty it is read off the tests' names.
	Owner string `json:"owner,omitempty"`
	// Issue is an address, or on this platform a path such as
	// /harbour/halyard/issues/7.
	Issue   string `json:"issue,omitempty"`
	OwnerBy Hand   `json:"owner_by,omitzero"`
	IssueBy Hand   `json:"issue_by,omitzero"`
}

// inherit takes over what a cluster says that has become a part of this one.
func (d *Description) inherit(gone Description) {
	if d.Owner == "" && gone.Owner != "" {
		d.Owner, d.OwnerBy = gone.Owner, gone.OwnerBy
	}
	if d.Issue == "" && gone.Issue != "" {
		d.Issue, d.IssueBy = gone.Issue, gone.IssueBy
	}
}

// What a description may have at most, in characters and in bytes.
const (
	mostOwner = 100
	mostIssue = 2000
)

// ErrDescription means that an owner or an issue cannot be one; the error that
// wraps it says why.
var ErrDescription = errors.New("this cannot be noted of a cluster")

// CheckOwner refuses what cannot be the name of an owner, with an error that
// wraps ErrDescription. An empty one is none.
func CheckOwner(name string) error {
	valid := utf8.ValidString(name)
	switch name = ownerName(name); {
	case !valid || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%w: an owner is a name in one line, such as sig-node", ErrDescription)
	case utf8.RuneCountInString(name) > mostOwner:
		return fmt.Errorf("%w: an owner's name has at most %d characters", ErrDescription, mostOwner)
	case name == Nobody:
		return fmt.Errorf("%w: %q stands for clusters without an owner; an empty name takes the owner away", ErrDescription, Nobody)
	}
	return nil
}

// CheckIssue refuses what cannot be the address of an issue, with an error that
// wraps ErrDescription. An empty one is none.
func CheckIssue(address string) error {
	address = strings.TrimSpace(address)
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	web := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
	here := err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") && !strings.Contains(address, `\`)
	if !web && !here || len(address) > mostIssue || strings.ContainsFunc(address, unicode.IsSpace) {
		return fmt.Errorf("%w: an issue is an address such as https://github.com/OWNER/NAME/issues/7, or /OWNER/NAME/issues/7 on this platform", ErrDescription)
	}
	return nil
}

// Describe notes who owns a cluster and which issue tells of it, as said by
// somebody; nil leaves what is there, and what is empty takes it away. What
// changes nothing is not noted again. The error wraps ErrNoCluster if there is
// no such cluster, ErrDescription if an owner or an issue cannot be one.
func (s *Service) Describe(ctx context.Context, id, by string, owner, issue *string) error {
	if owner != nil {
		if err := CheckOwner(*owner); err != nil {
			return err
		}
	}
	if issue != nil {
		if err := CheckIssue(*issue); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(ctx, func() (State, error) {
		i, ok := s.table.find(id)
		if !ok {
			return s.state, fmt.Errorf("cluster %s: %w", id, ErrNoCluster)
		}
		c := &s.table.clusters[i]
		d, hand := c.Description, Hand{By: by, At: s.o.Now().UTC().Truncate(time.Second)}
		if owner != nil && ownerName(*owner) != d.Owner {
			d.Owner, d.OwnerBy = ownerName(*owner), hand
		}
		if issue != nil && strings.TrimSpace(*issue) != d.Issue {
			d.Issue, d.IssueBy = strings.TrimSpace(*issue), hand
		}
		if d == c.Description {
			return s.state, nil
		}
		state, err := s.o.Store.DescribeTriage(ctx, c.number, d)
		if err != nil || state.Seq != s.state.Seq+1 {
			return s.state, err // the table follows with the next refresh
		}
		s.table.mu.Lock()
		defer s.table.mu.Unlock()
		c.Description = d
		return state, nil
	})
}
