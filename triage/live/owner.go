package live

import (
	"cmp"
	"regexp"
)

// sig is how tests name those who keep them: [sig-node], [sig-storage]. As in
// triage, sig- is no part of the name.
var sig = regexp.MustCompile(`(?i)\[sig-([^\]]+)\]`)

// ownerMemo holds the owners read off the tests' names, each of which is read
// once.
type ownerMemo struct {
	ofTest []int32 // by test: a number in names, 0 for none
	names  []string
}

// ownersNow returns each cluster's owner: the one that was set, or of those
// whom the tests' names tell the one with the most failures in the last day,
// then with the most before, then first by name. Filters have no say in it.
func (t *Table) ownersNow(until int64) []string {
	m := &t.owners
	owners := make([]string, len(t.clusters))
	for i := range t.clusters {
		owners[i] = t.clusters[i].Owner
	}
	wide := len(m.names)
	if wide <= 1 { // nobody is named
		return owners
	}
	type votes struct{ day, all int32 }
	count := make([]votes, wide*len(t.clusters))
	for i, b := range t.build {
		o := m.ofTest[t.test[i]]
		if o == 0 {
			continue
		}
		v := &count[int(t.texts[t.text[i]].cluster)*wide+int(o)]
		v.all++
		if t.builds[b].started >= until-day && t.builds[b].started < until {
			v.day++
		}
	}
	for c := range owners {
		if owners[c] != "" {
			continue
		}
		best := 0
		for o := 1; o < wide; o++ {
			x, y := count[c*wide+o], count[c*wide+best]
			if x.all > 0 && (best == 0 || cmp.Or(cmp.Compare(x.day, y.day), cmp.Compare(x.all, y.all), cmp.Compare(m.names[best], m.names[o])) > 0) {
				best = o
			}
		}
		owners[c] = m.names[best]
	}
	return owners
}

// add reads the name of one more test.
func (m *ownerMemo) add(test string) {
	if m.names == nil {
		m.names = []string{""}
	}
	number := int32(0)
	if found := sig.FindStringSubmatch(test); found != nil {
		number = -1
		owner := ownerName(found[1])
		for i, n := range m.names {
			if n == owner {
				number = int32(i)
			}
		}
		if number < 0 {
			number = int32(len(m.names))
			m.names = append(m.names, owner)
		}
	}
	m.ofTest = append(m.ofTest, number)
}
