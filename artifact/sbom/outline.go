package sbom

import (
	"fmt"
	"io"
	"strings"
)

// OutlineOptions say how much of a document is drawn.
type OutlineOptions struct {
	Depth int    // how many levels below the document; 0 is all
	Find  string // only what leads to elements with this in their name, or with this id or purl
	PURLs bool   // purls instead of names and versions
	IDs   bool   // ids instead of names and versions
}

// Node is one line of an outline.
type Node struct {
	Relation string  `json:"relation,omitempty"` // how the node above relates to it: CONTAINS, DEPENDS_ON …
	Element  Element `json:"element"`
	Seen     bool    `json:"seen,omitempty"`   // what is below it stands elsewhere
	Hidden   int     `json:"hidden,omitempty"` // how many relationships Depth left out
	Below    []*Node `json:"below,omitempty"`
}

// Outline makes a tree of the graph. Every element is opened once, where it is
// nearest to the document; elsewhere it is a line without anything below it.
func Outline(d Document, o OutlineOptions) []*Node {
	g := newGraph(d)
	wanted := g.leadingTo(o.Find)
	type place struct {
		node  *Node
		depth int
	}
	var top []*Node
	var queue []place
	open := map[ID]bool{}
	for _, id := range g.roots() {
		if wanted != nil && !wanted[id] {
			continue
		}
		n := &Node{Relation: string(Describes), Element: g.element(id), Seen: open[id]}
		top = append(top, n)
		if !open[id] {
			open[id] = true
			queue = append(queue, place{n, 1})
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if o.Find != "" && matches(at.node.Element, o.Find) {
			continue
		}
		for _, e := range g.edges[at.node.Element.ID] {
			if wanted != nil && !wanted[e.to] || e.to == DocumentID {
				continue
			}
			if o.Depth > 0 && at.depth >= o.Depth {
				at.node.Hidden++
				continue
			}
			n := &Node{Relation: e.label, Element: g.element(e.to)}
			at.node.Below = append(at.node.Below, n)
			isMatch := o.Find != "" && matches(n.Element, o.Find)
			if n.Seen = open[e.to] && len(g.edges[e.to]) > 0 && !isMatch; !open[e.to] {
				open[e.to] = true
				queue = append(queue, place{n, at.depth + 1})
			}
		}
	}
	return top
}

// leadingTo finds what a path to a match goes through; nil means everything.
func (g *graph) leadingTo(find string) map[ID]bool {
	if find == "" {
		return nil
	}
	back := map[ID][]ID{}
	for from, list := range g.edges {
		for _, e := range list {
			back[e.to] = append(back[e.to], from)
		}
	}
	wanted := map[ID]bool{}
	var queue []ID
	for _, id := range g.order {
		if matches(g.elements[id], find) {
			wanted[id] = true
			queue = append(queue, id)
		}
	}
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		for _, from := range back[id] {
			if !wanted[from] {
				wanted[from] = true
				queue = append(queue, from)
			}
		}
	}
	return wanted
}

func matches(e Element, find string) bool {
	return strings.Contains(e.Name, find) || string(e.ID) == find || e.PURL != "" && e.PURL == find
}

// DrawOutline writes an outline as lines for people.
func DrawOutline(w io.Writer, d Document, o OutlineOptions) error {
	head := fmt.Sprintf("%s: %d packages, %d files, %d relationships\n", plain(d.Name), len(d.Packages), len(d.Files), len(d.Relationships))
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	return draw(w, Outline(d, o), "", o)
}

func draw(w io.Writer, nodes []*Node, indent string, o OutlineOptions) error {
	for i, n := range nodes {
		branch, below := "├─ ", "│  "
		if i == len(nodes)-1 {
			branch, below = "└─ ", "   "
		}
		line := indent + branch + strings.ToLower(strings.ReplaceAll(n.Relation, "_", " ")) + " " + o.label(n.Element)
		switch {
		case n.Seen:
			line += " (opened elsewhere)"
		case n.Hidden > 0:
			line += fmt.Sprintf(" (%d below)", n.Hidden)
		}
		if _, err := io.WriteString(w, plain(line)+"\n"); err != nil {
			return err
		}
		if err := draw(w, n.Below, indent+below, o); err != nil {
			return err
		}
	}
	return nil
}

func (o OutlineOptions) label(e Element) string {
	switch {
	case o.IDs || e.Name == "":
		return string(e.ID)
	case o.PURLs && e.PURL != "":
		return e.PURL
	case e.Kind == FileKind:
		return "file " + e.Name
	}
	return e.Label()
}

// plain keeps what a document says on one line and from steering the terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
