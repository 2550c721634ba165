package scan

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/licensecheck"
)

// licences are shared by the tests, as programs should share them.
var licences = sync.OnceValue(func() *Licenses {
	l, err := NewLicenses()
	if err != nil {
		panic(err)
	}
	return l
})

const apacheHeader = `/*
Copyright 2016 The Kubernetes Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/
package main
`

const mitText = `MIT License

Copyright (c) 2019 Jane Doe <jane@example.com>

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`

func TestSource(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("func f() { return }\n", 1000)
	tests := []struct {
		name, text string
		want       Finding
		expression string
	}{
		{"nothing", "package main\n\n// License checks follow.\n", Finding{}, ""},
		{"header", apacheHeader + long, Finding{IDs: []string{"Apache-2.0"}, Copyright: []string{"Copyright 2016 The Kubernetes Authors."}}, "Apache-2.0"},
		{"far below", long + mitText, Finding{IDs: []string{"MIT"}, Copyright: []string{"Copyright (c) 2019 Jane Doe <jane@example.com>"}}, "MIT"},
		{"tag", "// SPDX-License-Identifier: mit OR apache-2.0\n", Finding{IDs: []string{"Apache-2.0", "MIT"}, Tag: "MIT OR Apache-2.0"}, "MIT OR Apache-2.0"},
		{"tag in a block comment", "/* SPDX-License-Identifier: GPL-2.0+ WITH Linux-syscall-note */", Finding{IDs: []string{"GPL-2.0-or-later"}, Tag: "GPL-2.0-or-later WITH Linux-syscall-note"}, "GPL-2.0-or-later WITH Linux-syscall-note"},
		{"tag in markup", "<!-- SPDX-License-Identifier: CC-BY-4.0 -->", Finding{IDs: []string{"CC-BY-4.0"}, Tag: "CC-BY-4.0"}, "CC-BY-4.0"},
		{"two tags", "# SPDX-License-Identifier: MIT\n# SPDX-License-Identifier: Zlib\n", Finding{IDs: []string{"MIT", "Zlib"}, Tag: "MIT AND Zlib"}, "MIT AND Zlib"},
		{"deprecated tag", "# SPDX-License-Identifier: GPL-2.0", Finding{IDs: []string{"GPL-2.0-only"}, Tag: "GPL-2.0-only"}, "GPL-2.0-only"},
		{"tag in code", `fmt.Printf("SPDX-License-Identifier: %s", id)`, Finding{}, ""},
		{"tag in prose", "Write SPDX-License-Identifier: followed by an expression", Finding{}, ""},
		{"licensed under an address", "Licensed under https://creativecommons.org/licenses/by/4.0/", Finding{IDs: []string{"CC-BY-4.0"}}, "CC-BY-4.0"},
		{"an address in a link", "see https://creativecommons.org/licenses/by/4.0/", Finding{}, ""},
		{"tag beside header", apacheHeader + "// SPDX-License-Identifier: Apache-2.0\n", Finding{IDs: []string{"Apache-2.0"}, Tag: "Apache-2.0", Copyright: []string{"Copyright 2016 The Kubernetes Authors."}}, "Apache-2.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			have, err := licences().Source([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			have.Percent = 0
			if diff := cmp.Diff(tt.want, have); diff != "" {
				t.Error(diff)
			}
			if have.Expression() != tt.expression {
				t.Errorf("expression %q, want %q", have.Expression(), tt.expression)
			}
		})
	}
}

func TestUnlistedLicence(t *testing.T) {
	t.Parallel()
	text := "SPDX-License-Identifier: LicenseRef-Halyard AND MIT\n"
	have, err := licences().Source([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if have.Tag != "LicenseRef-Halyard AND MIT" || len(have.Refs) != 1 || have.Refs[0].ID != "LicenseRef-Halyard" || have.Refs[0].Text == "" {
		t.Errorf("%+v: a LicenseRef needs its text", have)
	}
}

// TestNeighbours finds licences that stand close to one another: the library
// widens each to the notice of copyright before it.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	const mpl = "This Source Code Form is subject to the terms of the Mozilla Public\nLicense, v. 2.0. If a copy of the MPL was not distributed with this\nfile, You can obtain one at http://mozilla.org/MPL/2.0/.\n"
	const isc = "Copyright (c) 2011 Somebody\n\nPermission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted, provided that the above copyright notice and this permission notice appear in all copies.\n\nTHE SOFTWARE IS PROVIDED \"AS IS\" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.\n"
	for _, tt := range []struct {
		text string
		want []string
	}{
		{mitText + mpl, []string{"MIT", "MPL-2.0"}},
		{mpl + mitText, []string{"MPL-2.0", "MIT"}},
		{mitText + isc + mpl + apacheHeader, []string{"MIT", "ISC", "MPL-2.0", "Apache-2.0"}},
		{isc + "\nLicense: other\n" + mpl, []string{"ISC", "MPL-2.0"}},
		{strings.Repeat("Copyright 2001 A\n", 40) + mitText, []string{"MIT"}},
		{strings.Repeat("words that say nothing ", 5000) + isc + strings.Repeat("more of them ", 5000) + mpl, []string{"ISC", "MPL-2.0"}},
	} {
		have, err := licences().Text([]byte(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, have.IDs); diff != "" {
			t.Errorf("%.60q…: %s", tt.text, diff)
		}
	}
}

// TestCandidatesAreNarrow looks only where a licence can be.
func TestCandidatesAreNarrow(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("words that say nothing ", 50000) + mitText + strings.Repeat("more of them ", 50000)
	at := strings.Index(text, "MIT License")
	for _, c := range licences().candidates([]byte(text)) {
		if c.start > at || c.end < at+len(mitText) && licences().known[c.licence].license.ID == "MIT" {
			t.Errorf("%s: %d to %d leaves out part of %d to %d", licences().known[c.licence].license.ID, c.start, c.end, at, at+len(mitText))
		}
		if c.end-c.start > 20*len(mitText) {
			t.Errorf("%s: %d bytes to look at", licences().known[c.licence].license.ID, c.end-c.start)
		}
	}
	scattered := ""
	for _, w := range []string{"deal", "dealings", "furnished", "merge", "noninfringement", "obtaining", "permit", "whom"} {
		scattered += w + strings.Repeat(" nothing", 1000) + " "
	}
	if c := licences().candidates([]byte(scattered)); len(c) > 0 {
		t.Errorf("%d candidates for words that are far from one another", len(c))
	}
}

func TestTextIsMeasured(t *testing.T) {
	t.Parallel()
	whole, err := licences().Text([]byte(mitText))
	if err != nil {
		t.Fatal(err)
	}
	if whole.Percent < 90 {
		t.Errorf("%.1f%% of the MIT licence is licence", whole.Percent)
	}
	half, err := licences().Text([]byte(mitText + strings.Repeat("something else altogether ", 60)))
	if err != nil {
		t.Fatal(err)
	}
	if half.Percent > 60 || half.Percent < 30 {
		t.Errorf("%.1f%% of a half is licence", half.Percent)
	}
	again, err := licences().Text([]byte(mitText))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, again); diff != "" {
		t.Errorf("remembered otherwise: %s", diff)
	}
}

func TestCopyrights(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"// Copyright 2020 Example\n", "Copyright 2020 Example"},
		{"# Copyright (C) 2001-2004, 2006 Foo, Inc. */\n", "Copyright (C) 2001-2004, 2006 Foo, Inc."},
		{"/* Copyright © The Halyard Authors. */", "Copyright © The Halyard Authors."},
		{"© 2021 Jane", "© 2021 Jane"},
		{"SPDX-FileCopyrightText: 2022 Jane Doe <j@example.com>", "SPDX-FileCopyrightText: 2022 Jane Doe <j@example.com>"},
		{"COPYRIGHT 1999 BY SOMEBODY", "COPYRIGHT 1999 BY SOMEBODY"},
		{"the above copyright notice and this permission", ""},
		{"copyright := find(x)", ""},
		{"Copyright [yyyy] [name of copyright owner]", ""},
		{"Copyright 2020 A\nCopyright 2020 A\nCopyright 2021 B", "Copyright 2020 A|Copyright 2021 B"},
		{"Copyright", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if have := strings.Join(copyrights([]byte(tt.text)), "|"); have != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, have, tt.want)
		}
	}
	if n := len(copyrights([]byte(strings.Repeat("Copyright 2020 A", 1000)))); n > mostNotices {
		t.Errorf("%d notices kept", n)
	}
}

// TestAgainstLibrary compares with what the library finds when it has all its
// patterns at once, in its own samples: one text or more for every licence.
func TestAgainstLibrary(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds every pattern")
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/licensecheck").Output()
	if err != nil {
		t.Fatalf("where is the licence library? %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "testdata", "*.t[0-9]"))
	if err != nil || len(files) < 300 {
		t.Fatalf("%d samples in %s: %v", len(files), dir, err)
	}
	differ := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want Finding
		for _, m := range licensecheck.Scan(text).Match {
			if !m.IsURL {
				want.add(m.ID, text[m.Start:m.End])
			}
		}
		have, err := licences().Text(text)
		if err != nil {
			t.Fatal(err)
		}
		missing := slices.DeleteFunc(want.IDs, func(id string) bool { return slices.Contains(have.IDs, id) })
		if len(missing) > 0 {
			differ++
			t.Logf("%s: %v not found, but %v", filepath.Base(file), missing, have.IDs)
		}
	}
	if differ > 0 {
		t.Errorf("%d of %d samples differ", differ, len(files))
	}
}

func TestPatternsAreBuiltWhenNeeded(t *testing.T) {
	t.Parallel()
	l, err := NewLicenses()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Source([]byte(apacheHeader)); err != nil {
		t.Fatal(err)
	}
	built := 0
	for i := range l.known {
		if l.known[i].scanner != nil {
			built++
		}
	}
	if built == 0 || built > 5 {
		t.Errorf("%d patterns built for one header", built)
	}
	if len(l.heeds) > tableSize/2 {
		t.Errorf("%d words in a table of %d", len(l.heeds), tableSize)
	}
	for _, f := range l.forms {
		if f.need == 0 || f.need == math.MaxUint8 {
			t.Errorf("%s needs %d words", l.known[f.licence].license.ID, f.need)
		}
	}
}

func BenchmarkHeader(b *testing.B) {
	text := []byte(apacheHeader + strings.Repeat("func f() { return }\n", 500))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := licences().Source(text); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte(apacheHeader))
	f.Add([]byte(mitText))
	f.Add([]byte("SPDX-License-Identifier: (MIT OR \xff"))
	f.Add([]byte("Copyright © 20 Licensed creativecommons.org/"))
	f.Fuzz(func(t *testing.T, text []byte) {
		have, err := licences().Text(text)
		if err != nil {
			t.Fatal(err)
		}
		if have.Percent < 0 || have.Percent > 100 {
			t.Errorf("%v%%", have.Percent)
		}
		if e := have.Expression(); e != "" {
			if _, ok := readStrictly(e); !ok && len(e) < longestExpression {
				t.Errorf("%q is no expression", e)
			}
		}
	})
}
