package packages

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const arMagic = "!<arch>\n"

// readDeb reads a Debian package's control archive. Source: deb(5), ar's
// common format.
func (p *File) readDeb(r io.ReadSeeker) error {
	if _, err := r.Seek(int64(len(arMagic)), io.SeekStart); err != nil {
		return err
	}
	for n := 0; ; n++ {
		name, size, err := arMember(r)
		if err == io.EOF && p.control != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is no whole deb: %w", noEOF(err))
		}
		switch {
		case n == 0:
			version, err := arContent(r, name, size, 64)
			if err != nil {
				return err
			}
			if name != "debian-binary" || !strings.HasPrefix(string(version), "2.") {
				return errors.New("it is no deb of version 2")
			}
		case p.control == nil && strings.HasPrefix(name, "control.tar"):
			data, err := arContent(r, name, size, maxControl)
			if err != nil {
				return err
			}
			if err := p.readControl(data); err != nil {
				return fmt.Errorf("its %s: %w", name, err)
			}
		case p.control == nil:
			return fmt.Errorf("it holds %q where the control archive should be", name)
		default:
			p.Signed = p.Signed || strings.HasPrefix(name, "_gpg")
			p.payloadBytes += size
			if _, err := r.Seek(size+size%2, io.SeekCurrent); err != nil {
				return err
			}
		}
		if n > 16 {
			return errors.New("it is an ar archive of more than 16 members: no deb")
		}
	}
}

// arMember reads a member's header.
func arMember(r io.Reader) (name string, size int64, err error) {
	h := make([]byte, 60)
	if _, err := io.ReadFull(r, h); err != nil {
		return "", 0, err
	}
	if h[58] != '`' || h[59] != '\n' {
		return "", 0, errors.New("a member's header is damaged")
	}
	name = strings.TrimRight(strings.TrimRight(string(h[:16]), " "), "/")
	size, err = strconv.ParseInt(strings.TrimRight(string(h[48:58]), " "), 10, 64)
	if err != nil || size < 0 {
		return "", 0, fmt.Errorf("the size of %q is %q", name, h[48:58])
	}
	return name, size, nil
}

// arContent reads a member, and the byte that pads it.
func arContent(r io.Reader, name string, size, most int64) ([]byte, error) {
	if size > most {
		return nil, fmt.Errorf("its %s has %d bytes, more than %d", name, size, most)
	}
	data := make([]byte, size+size%2)
	if n, err := io.ReadFull(r, data); err != nil && int64(n) < size {
		return nil, fmt.Errorf("its %s is cut off: %w", name, noEOF(err))
	}
	return data[:size], nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// debScripts are what dpkg runs, in the order it does at installation.
var debScripts = []string{"preinst", "postinst", "prerm", "postrm", "config", "triggers"}

func (p *File) readControl(data []byte) error {
	tr, err := unpack(data)
	if err != nil {
		return err
	}
	err = entries(tr, func(name string, size int64, r io.Reader) error {
		switch {
		case name == "control" && p.control == nil:
			text, err := readText(name, size, r)
			if err != nil {
				return err
			}
			if p.control, err = parseControl(text); err != nil {
				return err
			}
		case name == "conffiles":
			text, err := readText(name, size, r)
			if err != nil {
				return err
			}
			p.ConfigFiles = strings.Fields(text)
		case slices.Contains(debScripts, name):
			p.Scripts = append(p.Scripts, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if p.control == nil {
		return errors.New("there is no control file in it")
	}
	slices.Sort(p.Scripts)
	p.Package, p.Version, p.Arch = get(p.control, "Package"), get(p.control, "Version"), get(p.control, "Architecture")
	p.Maintainer, p.Homepage = get(p.control, "Maintainer"), get(p.control, "Homepage")
	p.Summary, p.Description, _ = strings.Cut(get(p.control, "Description"), "\n")
	p.Depends = append(splitList(get(p.control, "Pre-Depends")), splitList(get(p.control, "Depends"))...)
	p.Provides, p.Conflicts, p.Replaces = splitList(get(p.control, "Provides")), splitList(get(p.control, "Conflicts")), splitList(get(p.control, "Replaces"))
	if kilobytes, err := strconv.ParseInt(get(p.control, "Installed-Size"), 10, 40); err == nil && kilobytes >= 0 {
		p.Installed = kilobytes << 10
	}
	return nil
}

// parseControl reads one paragraph of a Debian control file: "Name: value",
// and lines that begin with a blank and continue it. A second paragraph, a
// field given twice and a line that is neither are refused, as they would say
// something else to the next reader. Source: deb822(5).
func parseControl(text string) ([]field, error) {
	var fields []field
	seen := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		line = strings.TrimRight(line, " \t\r")
		switch {
		case strings.ContainsAny(line, "\x00\r\v\f"):
			return nil, fmt.Errorf("control file: a line holds a control character: %.60q", line)
		case line == "":
			return nil, errors.New("control file: it has more than one paragraph, or an empty line")
		case line[0] == ' ' || line[0] == '\t':
			if len(fields) == 0 {
				return nil, errors.New("control file: it begins with a continuation")
			}
			fields[len(fields)-1].value += "\n" + line
		default:
			name, value, ok := strings.Cut(line, ":")
			if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) || name[0] == '-' || name[0] == '#' {
				return nil, fmt.Errorf("control file: %.60q is no field", line)
			}
			if seen[strings.ToLower(name)] {
				return nil, fmt.Errorf("control file: the field %s is given twice", name)
			}
			seen[strings.ToLower(name)] = true
			fields = append(fields, field{name, strings.TrimLeft(value, " \t")})
		}
	}
	return fields, nil
}

// writeControl is the inverse of parseControl.
func writeControl(fields []field) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.name + ":")
		if f.value != "" && f.value[0] != '\n' {
			b.WriteByte(' ')
		}
		b.WriteString(f.value + "\n")
	}
	return b.String()
}
