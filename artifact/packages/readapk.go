package packages

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// readAPK reads a package of apk's version 2: up to three gzip streams one
// after another, which hold the signature, the metadata and the files. The
// digest of the files, which the metadata gives, is checked. Source:
// apk-package(5).
func (p *File) readAPK(r io.Reader) error {
	in := &counted{r: bufio.NewReaderSize(r, 64<<10)}
	segment, err := in.segment()
	if err != nil {
		return fmt.Errorf("it is no apk: %w", err)
	}
	first, err := unpack(segment)
	if err != nil {
		return err
	}
	signed := false
	err = entries(first, func(name string, _ int64, _ io.Reader) error {
		signed = signed || strings.HasPrefix(name, ".SIGN.")
		return nil
	})
	// What precedes the last stream is a tar without an end.
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it is no apk: %w", err)
	}
	if p.Signed = signed; signed {
		if segment, err = in.segment(); err != nil {
			return fmt.Errorf("its metadata: %w", err)
		}
	}
	sum := sha1.Sum(segment)
	p.controlSHA1 = sum[:]
	if err := p.readPackageInfo(segment); err != nil {
		return err
	}
	digest := sha256.New()
	if p.payloadBytes, err = io.Copy(digest, in.r); err != nil {
		return err
	}
	if want := get(p.packageInfo, "datahash"); want != "" && want != hex.EncodeToString(digest.Sum(nil)) {
		return fmt.Errorf("its payload %w", errDigest)
	}
	return nil
}

// counted keeps what a decompressor consumes: segments have no length of
// their own, and are signed and named by their compressed bytes.
type counted struct {
	r    *bufio.Reader
	kept bytes.Buffer
}

// Read implements io.Reader.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.kept.Write(b[:n])
	return n, err
}

// ReadByte implements io.ByteReader, without which gzip reads ahead.
func (c *counted) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.kept.WriteByte(b)
	}
	return b, err
}

// segment returns the compressed bytes of the next gzip stream.
func (c *counted) segment() ([]byte, error) {
	c.kept.Reset()
	zr, err := gzip.NewReader(c)
	if err != nil {
		return nil, noEOF(err)
	}
	zr.Multistream(false)
	b := &bounded{r: zr, left: maxUnpacked}
	for {
		_, err := io.CopyN(io.Discard, b, 32<<10)
		if c.kept.Len() > maxControl {
			return nil, fmt.Errorf("its metadata has more than %d bytes", int64(maxControl))
		}
		if err == io.EOF {
			return bytes.Clone(c.kept.Bytes()), nil
		}
		if err != nil {
			return nil, err
		}
	}
}

var apkScripts = []string{".pre-install", ".post-install", ".pre-upgrade", ".post-upgrade", ".pre-deinstall", ".post-deinstall", ".trigger"}

func (p *File) readPackageInfo(segment []byte) error {
	tr, err := unpack(segment)
	if err != nil {
		return err
	}
	err = entries(tr, func(name string, size int64, r io.Reader) error {
		if slices.Contains(apkScripts, name) {
			p.Scripts = append(p.Scripts, strings.TrimPrefix(name, "."))
		}
		if name != ".PKGINFO" || p.packageInfo != nil {
			return nil
		}
		text, err := readText(name, size, r)
		if err != nil {
			return err
		}
		p.packageInfo, err = parsePackageInfo(text)
		return err
	})
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("its metadata: %w", err)
	}
	if p.packageInfo == nil {
		return errors.New("there is no .PKGINFO in it: it is no apk")
	}
	slices.Sort(p.Scripts)
	p.Package, p.Version, p.Arch = get(p.packageInfo, "pkgname"), get(p.packageInfo, "pkgver"), get(p.packageInfo, "arch")
	p.Summary, p.Maintainer = get(p.packageInfo, "pkgdesc"), get(p.packageInfo, "maintainer")
	p.Homepage, p.License = get(p.packageInfo, "url"), get(p.packageInfo, "license")
	if n, err := strconv.ParseInt(get(p.packageInfo, "size"), 10, 62); err == nil && n >= 0 {
		p.Installed = n
	}
	for _, f := range p.packageInfo {
		switch f.name {
		case "depend":
			if conflict, no := strings.CutPrefix(f.value, "!"); no {
				p.Conflicts = append(p.Conflicts, conflict)
			} else {
				p.Depends = append(p.Depends, f.value)
			}
		case "provides":
			p.Provides = append(p.Provides, f.value)
		case "replaces":
			p.Replaces = append(p.Replaces, f.value)
		}
	}
	return nil
}

// parsePackageInfo reads "name = value" lines; those that begin with '#' are
// comments.
func parsePackageInfo(text string) ([]field, error) {
	var fields []field
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, " = ")
		if !ok {
			name, ok = strings.CutSuffix(line, " =")
		}
		if !ok || strings.ContainsAny(line, "\x00\r\v\f") {
			return nil, fmt.Errorf(".PKGINFO: %.60q is no field", line)
		}
		fields = append(fields, field{name, strings.TrimSpace(value)})
	}
	return fields, nil
}
