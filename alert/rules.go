package alert

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Rules are who hears of what, and when.
type Rules struct {
	// Project is whom the troubles are of, as people call it.
	Project string
	// Mails and Channel hear of everything, besides the owners and whom a tab
	// names.
	Mails   []string
	Channel string
	// Issues has an issue kept for each group of troubles.
	Issues bool
	// Owners are asked in this order; the first that matches a trouble owns it.
	Owners []Owner
	Quiet  Quiet
}

// Owner is whose business some tests are.
type Owner struct {
	Name string
	// Tests and Jobs match the names of what is owned; nil matches everything.
	Tests, Jobs *regexp.Regexp
	// Mails and Channel are told besides.
	Mails   []string
	Channel string
	// Logins are assigned to issues.
	Logins []string
}

// Quiet hours of the day and whole days of the week. No mail and no
// message is sent then; issues disturb nobody.
type Quiet struct {
	// From and To are times of day; quiet hours may last over midnight. There
	// are none if both are the same.
	From, To time.Duration
	Days     []time.Weekday
	// Zone is whose clocks are meant; nil is UTC. On the days when they are
	// changed, quiet hours begin and end as the clocks say.
	Zone *time.Location
}

// holds reports whether it is quiet.
func (q Quiet) holds(now time.Time) bool {
	now = now.UTC()
	if q.Zone != nil {
		now = now.In(q.Zone)
	}
	if slices.Contains(q.Days, now.Weekday()) {
		return true
	}
	at := time.Duration(now.Hour())*time.Hour + time.Duration(now.Minute())*time.Minute + time.Duration(now.Second())*time.Second
	if q.From <= q.To {
		return at >= q.From && at < q.To
	}
	return at >= q.From || at < q.To
}

// special is how names of Kubernetes' tests name the special interest group
// they are of.
var special = regexp.MustCompile(`\[(sig-[a-z0-9-]+)\]`)

// owner is the first that matches a trouble or, without one, whom the test's
// name tells.
func (r Rules) owner(t *Trouble) Owner {
	for _, o := range r.Owners {
		if !t.Kind.ofTest() && o.Tests != nil || o.Tests != nil && !o.Tests.MatchString(t.Subject) {
			continue
		}
		if o.Jobs == nil || slices.ContainsFunc(t.Places, func(p Place) bool { return o.Jobs.MatchString(p.Job) }) {
			return o
		}
	}
	if m := special.FindStringSubmatch(t.Subject); m != nil && t.Kind.ofTest() {
		return Owner{Name: m[1]}
	}
	return Owner{}
}

// ofTest reports whether the subject is a test, not a job.
func (k Kind) ofTest() bool { return k == Failing || k == Flakes }

// Kinds of places, before the colon of their names.
const (
	mailPlace  = "mail"
	chatPlace  = "chat"
	issuePlace = "issue"
)

func isMail(place string) bool  { return strings.HasPrefix(place, mailPlace+":") }
func isIssue(place string) bool { return strings.HasPrefix(place, issuePlace+":") }

// destinations are the places that are to hear of a trouble, each once.
func (r Rules) destinations(t *Trouble) []string {
	o := r.owner(t)
	var all []string
	add := func(kind string, names ...string) {
		for _, n := range names {
			if place := kind + ":" + n; n != "" && !slices.Contains(all, place) {
				all = append(all, place)
			}
		}
	}
	add(mailPlace, t.To...)
	add(mailPlace, o.Mails...)
	add(mailPlace, r.Mails...)
	add(chatPlace, o.Channel, r.Channel)
	if r.Issues && t.Kind != Flakes { // nothing ends a flake for sure, and an issue would say it did
		add(issuePlace, t.Group)
	}
	return all
}
