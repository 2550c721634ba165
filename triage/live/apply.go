package live

func (t *Table) nextBuild() int64   { return t.lastBuild + 1 }
func (t *Table) nextText() int64    { return t.lastText + 1 }
func (t *Table) nextCluster() int64 { return t.lastCluster + 1 }
func (t *Table) nextTest() int64    { return t.lastTest + 1 }

// apply adds rows of a store. Those that refer to others come after them; what
// refers to nothing that is known is left out, since it cannot be shown.
func (t *Table) apply(r Rows) {
	for _, c := range r.Clusters {
		if i, ok := t.ids[c.ID]; ok {
			t.clusters[i].Facts = c.Facts
			continue
		}
		t.clusterAt[c.Number] = t.addCluster(c.Facts, c.Number)
		t.lastCluster = max(t.lastCluster, c.Number)
	}
	for _, x := range r.Texts {
		if i, known := t.textAt[x.Number]; known {
			t.texts[i].other = x.Other
			continue
		}
		c, ok := t.clusterAt[x.Cluster]
		if !ok {
			continue
		}
		i := t.addText(c, x.Hash, x.Sample, x.Number)
		t.textAt[x.Number], t.texts[i].other = i, x.Other
		t.lastText = max(t.lastText, x.Number)
	}
	for _, x := range r.Tests {
		i := t.tests.number(x.Name)
		if int(i) == len(t.owners.ofTest) {
			t.owners.add(x.Name)
		}
		for int(i) >= len(t.testNumbers) {
			t.testNumbers = append(t.testNumbers, 0)
		}
		t.testNumbers[i] = x.Number
		t.testAt[x.Number] = i
		t.lastTest = max(t.lastTest, x.Number)
	}
	for _, b := range r.Builds {
		if _, known := t.paths[b.Path]; known {
			continue
		}
		at := t.addBuild(b.Build, b.Number)
		t.lastBuild = max(t.lastBuild, b.Number)
		for _, f := range b.Failures {
			test, ok := t.testAt[f.Test]
			text, known := t.textAt[f.Text]
			if ok && known {
				t.addFailure(at, t.tests.all[test], text)
			}
		}
	}
}

// replace takes over everything from another table, which is not used again.
func (t *Table) replace(o *Table) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.columns = o.columns
}
