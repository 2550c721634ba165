package api

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"

	"seaworthy/grid"
)

// badge draws the status of a tab, /badge/DASHBOARD/TAB.svg, or the worst of a
// dashboard, /badge/DASHBOARD.svg: its name, and a word on a colour.
func (o GridOptions) badge(w http.ResponseWriter, r *http.Request) {
	dash, tab := r.PathValue("dashboard"), r.PathValue("tab")
	last := &tab
	if tab == "" {
		last = &dash
	}
	name, ok := strings.CutSuffix(*last, ".svg")
	if !ok || name == "" {
		o.fail(w, r, refused{http.StatusNotFound, "a badge is at /badge/DASHBOARD/TAB.svg, or /badge/DASHBOARD.svg"})
		return
	}
	*last = name
	label, s := "", grid.Status("")
	if tab == "" {
		sum, err := o.sumUp(r, dash)
		if err != nil {
			o.fail(w, r, err)
			return
		}
		label, s = sum.Name, grid.Status(sum.Status)
	} else {
		t, err := o.summary(r, dash, tab)
		if err != nil {
			o.fail(w, r, err)
			return
		}
		label, s = t.Tab, t.Summary.Status
	}
	o.send(w, r, "image/svg+xml", "public, max-age=60", drawBadge(label, s))
}

// testsStatus is TestGrid's address of a badge, with style=svg, and of the
// summary of a tab.
func (o GridOptions) testsStatus(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("style") != "svg" {
		o.json(o.tabSummary)(w, r)
		return
	}
	t, err := o.summary(r, r.PathValue("dashboard"), r.PathValue("tab"))
	if err != nil {
		o.fail(w, r, err)
		return
	}
	o.send(w, r, "image/svg+xml", "public, max-age=60", drawBadge(t.Tab, t.Summary.Status))
}

// badgeColour is dark enough for white letters: at least 4.5 to 1.
func badgeColour(s grid.Status) string {
	switch s {
	case grid.Passing, grid.Acceptable:
		return "#1a7f37"
	case grid.Failing, grid.Broken:
		return "#b3261e"
	case grid.Flaky:
		return "#8a5a00"
	case grid.Stale:
		return "#6e4aa3"
	case grid.Pending:
		return "#0b5cad"
	}
	return "#57606a"
}

// longestLabel is how many characters of a name are shown.
const longestLabel = 60

// drawBadge writes the picture. Letters are fitted into the room that is
// reckoned for them, whatever font there is.
func drawBadge(label string, s grid.Status) []byte {
	word := strings.ToLower(status(s))
	if r := []rune(label); len(r) > longestLabel {
		label = string(r[:longestLabel-1]) + "…"
	}
	left, right := room(label), room(word)
	name, width := escaped(label), left+right
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="20" role="img" aria-label="%s: %s">`+
		`<title>%[2]s: %[3]s</title>`+
		`<rect width="%[1]d" height="20" rx="3" fill="#3b4149"/>`+
		`<path d="M%[4]d 0h%[5]da3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-%[5]dz" fill="%[6]s"/>`+
		`<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" text-anchor="middle">`+
		`<text x="%[7]d" y="14" textLength="%[8]d" lengthAdjust="spacingAndGlyphs">%[2]s</text>`+
		`<text x="%[9]d" y="14" textLength="%[10]d" lengthAdjust="spacingAndGlyphs">%[3]s</text></g></svg>`+"\n",
		width, name, word, left, right-3, badgeColour(s), left/2, left-badgeMargin, left+right/2, right-badgeMargin)
}

const badgeMargin = 12

// room is how wide a text is drawn, in pixels, with its margin.
func room(text string) int {
	tenths := 0
	for _, r := range text {
		switch {
		case strings.ContainsRune("ijlI.,:;'|! ", r):
			tenths += 39
		case strings.ContainsRune("mwMW@%", r):
			tenths += 104
		case r >= 'A' && r <= 'Z' || r > 0x2e80:
			tenths += 82
		default:
			tenths += 68
		}
	}
	return tenths/10 + 1 + badgeMargin
}

// escaped is a text within XML; what XML cannot hold is replaced.
func escaped(text string) string {
	var out bytes.Buffer
	if err := xml.EscapeText(&out, []byte(text)); err != nil {
		return "" // a buffer takes everything: this cannot be
	}
	return out.String()
}
