package scan

import (
	"bytes"
	"encoding/binary"
	"runtime/debug"
	"strings"
)

// programFinder looks for the build information of Go in a program that passes
// by, as an io.Writer: a program in an archive cannot be read here and there, and
// may be too big to keep. The information of Go 1.18 and later is in one piece
// (debug/buildinfo describes it): "\xff Go buildinf:", the pointer size, flags, up
// to 32 bytes, then the version of Go and the modules, each with its length.
type programFinder struct {
	tail    []byte // what may be the beginning of the mark
	capture []byte // from the mark on
	active  bool   // capturing
	program *program
}

var buildInfoMark = []byte("\xff Go buildinf:")

const (
	buildInfoHeader = 32
	inlineStrings   = 2       // flag
	mostBuildInfo   = 4 << 20 // bytes; some programs have a thousand modules
	moduleInfoFrame = 16      // bytes around the modules' text
)

func (f *programFinder) reset() {
	f.tail, f.capture, f.active, f.program = f.tail[:0], f.capture[:0], false, nil
}

// Write takes the next bytes of the program. It never fails.
func (f *programFinder) Write(b []byte) (int, error) {
	n := len(b)
	for f.program == nil && len(b) > 0 {
		if f.active {
			f.capture = append(f.capture, b...)
			if f.parse() {
				break
			}
			if f.active {
				return n, nil // more is needed
			}
			// It was no mark: go on behind it.
			b = append([]byte(nil), f.capture[len(buildInfoMark):]...)
			f.capture = f.capture[:0]
			continue
		}
		joined := b
		if len(f.tail) > 0 {
			joined = append(append([]byte(nil), f.tail...), b[:min(len(b), len(buildInfoMark))]...)
			if i := bytes.Index(joined, buildInfoMark); i >= 0 {
				f.active = true
				f.capture = append(f.capture[:0], joined[i:len(f.tail)]...)
				f.tail = f.tail[:0]
				continue
			}
		}
		i := bytes.Index(b, buildInfoMark)
		if i < 0 {
			f.tail = append(f.tail, b...)
			f.tail = append(f.tail[:0], f.tail[max(0, len(f.tail)-len(buildInfoMark)+1):]...)
			return n, nil
		}
		f.active, f.tail = true, f.tail[:0]
		f.capture = f.capture[:0]
		b = b[i:]
	}
	return n, nil
}

// parse reads what was captured. It reports true once the program is known;
// active stays true while more is needed.
func (f *programFinder) parse() bool {
	if len(f.capture) < buildInfoHeader {
		return false
	}
	if f.capture[15]&inlineStrings == 0 {
		f.active = false
		return false
	}
	rest := f.capture[buildInfoHeader:]
	version, rest, ok := f.text(rest, 200)
	if !ok {
		return false
	}
	modules, _, ok := f.text(rest, mostBuildInfo)
	if !ok {
		return false
	}
	f.active = false
	if !strings.HasPrefix(version, "go") && !strings.HasPrefix(version, "devel") {
		return false
	}
	info := &debug.BuildInfo{}
	if len(modules) > 2*moduleInfoFrame {
		parsed, err := debug.ParseBuildInfo(modules[moduleInfoFrame : len(modules)-moduleInfoFrame])
		if err != nil {
			return false
		}
		info = parsed
	}
	info.GoVersion = version
	f.program = &program{info: info}
	return true
}

// text reads a text with its length before it. Where it is too long to be true,
// the capture ends.
func (f *programFinder) text(b []byte, most uint64) (string, []byte, bool) {
	length, n := binary.Uvarint(b)
	if n < 0 || n > 0 && length > most {
		f.active = false
		return "", nil, false
	}
	if n == 0 || uint64(len(b)-n) < length {
		if len(f.capture) > mostBuildInfo+1024 {
			f.active = false
		}
		return "", nil, false
	}
	end := n + int(length)
	return string(b[n:end]), b[end:], true
}
