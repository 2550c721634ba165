package announce

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	nodes "text/template/parse"

	"seaworthy/release"
)

// Limits of a project's own template and of what it writes, in bytes.
const (
	templateLimit = 64 << 10
	renderLimit   = 16 << 20
)

// TemplateError says what is wrong with a template.
type TemplateError struct {
	Line int // 0 where no line is to blame
	Why  string
}

// Error implements error.
func (e *TemplateError) Error() string {
	if e.Line == 0 {
		return e.Why
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Why)
}

// CheckTemplate tells whether an announcement can be made from a template,
// without one to make: every value that it names anywhere is known, and
// announcements with and without what may be missing come out of it. The error
// is a *TemplateError.
func CheckTemplate(text string) error {
	if len(text) > templateLimit {
		return &TemplateError{Why: fmt.Sprintf("it has %d bytes: the limit is %d", len(text), templateLimit)}
	}
	least := Announcement{Project: "halyard", Version: "v1.2.0", Kind: release.Official, Signature: "The halyard team", Template: text}
	most := least
	most.Kind, most.Version, most.Previous, most.GoVersion = release.RC, "v1.2.0-rc.1", "v1.2.0-rc.0", "1.26"
	most.PageURL, most.ChangelogURL, most.Notes, most.Verify = "https://example.org/v1.2.0", "https://example.org/log", "# Notes\n", "true"
	for _, a := range []Announcement{least, most} {
		for _, f := range []format{markdown, plain} {
			said, err := a.render(f)
			if err != nil {
				return templateError(err)
			}
			if strings.TrimSpace(said) == "" {
				return &TemplateError{Why: "the announcement that it makes is empty"}
			}
		}
	}
	return nil
}

// own reads a project's template, for one format.
func own(text string, functions template.FuncMap) (*template.Template, error) {
	t, err := template.New(templateName).Funcs(functions).Parse(text)
	if err != nil {
		return nil, err
	}
	if len(t.Templates()) > 1 {
		return nil, &TemplateError{Why: "it defines templates of its own: write one text, without define and block"}
	}
	if t.Tree == nil || t.Root == nil {
		return nil, &TemplateError{Why: "the announcement that it makes is empty"}
	}
	c := checker{t.Tree}
	return t, c.list(t.Root, false)
}

const templateName = "announcement"

var templateMessage = regexp.MustCompile(`template: ` + templateName + `:(\d+)(?::\d+)?: (?:executing "` + templateName + `" at )?(.*)`)

// templateError finds the line in what the standard library says.
func templateError(err error) error {
	var e *TemplateError
	if errors.As(err, &e) {
		return e
	}
	if m := templateMessage.FindStringSubmatch(err.Error()); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			return &TemplateError{line, m[2]}
		}
	}
	return &TemplateError{Why: err.Error()}
}

// names are the values that a template may insert.
var names = []string{"Project", "Version", "Kind", "Previous", "GoVersion", "PageURL", "ChangelogURL", "Notes", "Verify", "Signature", "Unstable"}

// formatting functions write what is safe already.
var formatting = []string{"esc", "strong", "link", "code", "notes", "rule", "kindPhrase"}

// checker looks at all of a template, also at what no announcement of today
// reaches, and has every value that is inserted escaped.
type checker struct{ tree *nodes.Tree }

func (c checker) fail(n nodes.Node, format string, a ...any) error {
	at, _ := c.tree.ErrorContext(n) // announcement:LINE:COLUMN
	parts := strings.Split(at, ":")
	line, err := strconv.Atoi(parts[min(1, len(parts)-1)])
	if err != nil {
		line = 0
	}
	return &TemplateError{line, fmt.Sprintf(format, a...)}
}

// list looks at nodes; within says that the dot is the value of a with.
func (c checker) list(l *nodes.ListNode, within bool) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		var err error
		switch n := n.(type) {
		case *nodes.TextNode, *nodes.CommentNode:
		case *nodes.ActionNode:
			if err = c.pipe(n.Pipe, within); err == nil {
				c.escape(n.Pipe)
			}
		case *nodes.IfNode:
			err = c.branch(&n.BranchNode, within, within)
		case *nodes.WithNode:
			err = c.branch(&n.BranchNode, within, true)
		default:
			err = c.fail(n, "%s has no place in an announcement: write text, values, if and with", n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c checker) branch(b *nodes.BranchNode, within, inside bool) error {
	if err := c.pipe(b.Pipe, within); err != nil {
		return err
	}
	if err := c.list(b.List, inside); err != nil {
		return err
	}
	return c.list(b.ElseList, within)
}

func (c checker) pipe(p *nodes.PipeNode, within bool) error {
	for _, command := range p.Cmds {
		for _, arg := range command.Args {
			var err error
			switch n := arg.(type) {
			case *nodes.PipeNode:
				err = c.pipe(n, within)
			case *nodes.FieldNode:
				if within {
					return c.fail(n, "%s within with: write $%s", n, n)
				}
				err = c.name(n, n.Ident)
			case *nodes.VariableNode:
				if n.Ident[0] == "$" && len(n.Ident) > 1 {
					err = c.name(n, n.Ident[1:])
				} else if len(n.Ident) > 1 {
					err = c.fail(n, "%s: a value has no parts", n)
				}
			case *nodes.ChainNode:
				err = c.fail(n, "%s: a value has no parts", n)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (c checker) name(n nodes.Node, path []string) error {
	if len(path) == 1 && slices.Contains(names, path[0]) {
		return nil
	}
	return c.fail(n, "unknown value .%s: there are %s", strings.Join(path, "."), strings.Join(names, ", "))
}

// escape ends a pipeline that inserts a value with the function that escapes
// it, unless it ends with one that does. Notes are Markdown already, and an
// address is a link.
func (c checker) escape(p *nodes.PipeNode) {
	if len(p.Decl) > 0 {
		return // which inserts nothing
	}
	last := p.Cmds[len(p.Cmds)-1]
	function := "esc"
	switch n := last.Args[0].(type) {
	case *nodes.IdentifierNode:
		if slices.Contains(formatting, n.Ident) {
			return
		}
	case *nodes.FieldNode:
		function = functionOf(n.Ident[0])
	case *nodes.VariableNode:
		if len(n.Ident) > 1 {
			function = functionOf(n.Ident[1])
		}
	}
	p.Cmds = append(p.Cmds, &nodes.CommandNode{NodeType: nodes.NodeCommand, Pos: last.Pos,
		Args: []nodes.Node{nodes.NewIdentifier(function).SetTree(c.tree).SetPos(last.Pos)}})
}

func functionOf(name string) string {
	switch name {
	case "Notes":
		return "notes"
	case "PageURL", "ChangelogURL":
		return "link"
	}
	return "esc"
}

// bounded refuses what is more than a limit.
type bounded struct {
	w    io.Writer
	left int
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, fmt.Errorf("the announcement is longer than %d bytes", renderLimit)
	}
	return b.w.Write(p)
}
