package scan

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"seaworthy/artifact/sbom"
)

const (
	// keptSize is how much of a file is searched for licences. Longer texts are
	// data; their licence stands in the beginning.
	keptSize   = 1 << 20
	binarySize = 8000 // bytes in which a zero byte marks a binary, as git has it
)

// found is one file and what is known of it.
type found struct {
	path    string
	size    int64
	sums    []sbom.Checksum
	finding Finding
	binary  bool
	program *program // what it was built of, if it is a Go program
}

// measurer takes a file's sums and looks into it, reusing its memory. It serves
// one goroutine. It is an io.Writer for files that are read by somebody else.
type measurer struct {
	licenses *Licenses
	sha1     hash.Hash
	sha256   hash.Hash
	sha512   hash.Hash // nil where two sums are enough
	head     []byte
	block    []byte
	programs programFinder
	name     string
	size     int64
}

func newMeasurer(l *Licenses) *measurer {
	return &measurer{licenses: l, sha1: sha1.New(), sha256: sha256.New(), sha512: sha512.New(), block: make([]byte, 64<<10)}
}

// begin starts on another file, whose content is then written to the measurer.
func (m *measurer) begin(name string) *measurer {
	m.sha1.Reset()
	m.sha256.Reset()
	if m.sha512 != nil {
		m.sha512.Reset()
	}
	m.head = m.head[:0]
	m.programs.reset()
	m.name, m.size = name, 0
	return m
}

// Write takes the file's next bytes. It never fails.
func (m *measurer) Write(b []byte) (int, error) {
	m.size += int64(len(b))
	m.sha1.Write(b)
	m.sha256.Write(b)
	if m.sha512 != nil {
		m.sha512.Write(b)
	}
	if room := keptSize - len(m.head); room > 0 {
		m.head = append(m.head, b[:min(room, len(b))]...)
	}
	if mayBeProgram(m.head) {
		m.programs.Write(b)
	}
	return len(b), nil
}

// end tells what was found in the file.
func (m *measurer) end() (found, error) {
	f := found{path: m.name, size: m.size, program: m.programs.program, binary: isBinary(m.head), sums: []sbom.Checksum{
		{Algorithm: sbom.SHA1, Value: hex.EncodeToString(m.sha1.Sum(nil))},
		{Algorithm: sbom.SHA256, Value: hex.EncodeToString(m.sha256.Sum(nil))},
	}}
	if m.sha512 != nil {
		f.sums = append(f.sums, sbom.Checksum{Algorithm: sbom.SHA512, Value: hex.EncodeToString(m.sha512.Sum(nil))})
	}
	if m.licenses == nil || f.binary && !mayHoldText(m.name, m.head) {
		return f, nil
	}
	look := m.licenses.Source
	if isLicenceName(path.Base(m.name)) {
		look = m.licenses.Text
	}
	var err error
	if f.finding, err = look(m.head); err != nil {
		return found{}, fmt.Errorf("%s: %w", m.name, err)
	}
	return f, nil
}

// measure reads a file once, to its end.
func (m *measurer) measure(name string, r io.Reader) (found, error) {
	m.begin(name)
	if _, err := io.CopyBuffer(m, struct{ io.Reader }{r}, m.block); err != nil {
		return found{}, fmt.Errorf("reading %s: %w", name, err)
	}
	return m.end()
}

// mayHoldText reports whether a binary may hold a licence that is its own, as
// compiled interface descriptions do. A program holds those of its parts, and
// compressed content none that can be seen.
func mayHoldText(name string, head []byte) bool {
	if mayBeProgram(head) {
		return false
	}
	switch fileTypes(name, true)[0] {
	case sbom.ImageFile, sbom.AudioFile, sbom.VideoFile, sbom.ArchiveType:
		return false
	}
	return true
}

func isBinary(head []byte) bool {
	return bytes.IndexByte(head[:min(len(head), binarySize)], 0) >= 0
}

// licencePrefixes begin the names of files that hold a licence for what lies
// beside them.
var licencePrefixes = []string{"license", "licence", "copying", "unlicense", "mit-license", "apache-license", "bsd-license", "copyright"}

// isLicenceName reports whether a file's name says that it holds a licence:
// LICENSE, LICENSE.md, COPYING.LESSER, LICENSE-MIT. license.go does not.
func isLicenceName(base string) bool {
	lower := strings.ToLower(base)
	for _, p := range licencePrefixes {
		rest, ok := strings.CutPrefix(lower, p)
		if !ok {
			continue
		}
		switch ext := path.Ext(rest); {
		case rest == "", rest == "s", rest[0] == '-', rest[0] == '_':
			return !codeExtension(ext)
		case rest[0] == '.', strings.HasPrefix(rest, "s."):
			return !codeExtension(ext)
		}
	}
	return false
}

// measureAll measures files below a folder, several at a time, and returns them
// in the order of their names.
func measureAll(ctx context.Context, root *os.Root, names []string, o Options) ([]found, error) {
	list := make([]found, len(names))
	next := make(chan int)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(next)
		for i := range names {
			select {
			case next <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range workers() {
		g.Go(func() error {
			m := newMeasurer(o.Licenses)
			for i := range next {
				var err error
				if list[i], err = measureFile(m, root, names[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return list, g.Wait()
}

func measureFile(m *measurer, root *os.Root, name string) (found, error) {
	file, err := root.Open(name)
	if err != nil {
		return found{}, err
	}
	defer file.Close()
	f, err := m.measure(name, file)
	if err == nil && f.program == nil && mayBeProgram(m.head) {
		f.program, err = readProgram(file) // of before Go 1.18
	}
	return f, err
}

// file makes the document's entry of a measured file.
func (f found) file(owner sbom.ID) sbom.File {
	e := sbom.File{
		ID: sbom.FileID(owner, f.path), Name: f.path, Checksums: f.sums, Types: fileTypes(f.path, f.binary),
		Concluded: f.finding.Expression(), FoundIn: f.finding.IDs, Copyright: strings.Join(f.finding.Copyright, "\n"),
	}
	return e
}

// fileTypes says of what kind a file is.
func fileTypes(name string, binary bool) []sbom.FileType {
	ext := strings.ToLower(path.Ext(name))
	for kind, list := range extensions {
		if strings.Contains(list, " "+ext+" ") && ext != "" {
			return []sbom.FileType{kind}
		}
	}
	if binary {
		return []sbom.FileType{sbom.BinaryFile}
	}
	return []sbom.FileType{sbom.TextFile}
}

// extensions of kinds of files, each with a space around it.
var extensions = map[sbom.FileType]string{
	sbom.SourceFile:        ` .go .c .h .cc .cpp .cxx .hpp .hh .s .asm .py .rb .rs .java .kt .scala .js .mjs .cjs .jsx .ts .tsx .sh .bash .pl .pm .php .lua .swift .m .cs .fs .hs .ml .mli .ex .exs .erl .clj .el .vim .sql .proto .css .scss .less .vue .r .jl .dart .zig .tcl .awk .ps1 .bat .cmake .mk .gradle .bzl .star `,
	sbom.DocumentationFile: ` .md .markdown .rst .adoc .asciidoc .texi .info .pod .man `,
	sbom.TextFile:          ` .txt .html .htm .xml .json .yaml .yml .toml .ini .cfg .conf .csv .tsv .svg .mod .sum .lock .tmpl `,
	sbom.ImageFile:         ` .png .jpg .jpeg .gif .webp .ico .bmp .tif .tiff .avif `,
	sbom.AudioFile:         ` .mp3 .ogg .wav .flac .m4a `,
	sbom.VideoFile:         ` .mp4 .webm .mov .avi .mkv `,
	sbom.ArchiveType:       ` .tar .tgz .gz .zst .xz .bz2 .zip .jar .war .deb .rpm .apk .7z .txz .tzst .whl `,
	sbom.SPDXFile:          ` .spdx `,
	sbom.BinaryFile:        ` .so .a .o .dll .dylib .exe .wasm .class .pyc `,
}

func codeExtension(ext string) bool {
	return ext != "" && strings.Contains(extensions[sbom.SourceFile], " "+ext+" ")
}
