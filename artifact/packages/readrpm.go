package packages

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

var rpmMagic = []byte{0xed, 0xab, 0xee, 0xdb}

// Tags of an rpm's headers that are read. Source: rpm's rpmtag.h.
const (
	sigSHA256, sigRSA, sigDSA, sigPGP, sigGPG                = 273, 268, 267, 1002, 1005
	tagName, tagVersion, tagRelease, tagEpoch                = 1000, 1001, 1002, 1003
	tagSummary, tagDescription, tagBuildTime, tagBuildHost   = 1004, 1005, 1006, 1007
	tagSize, tagVendor, tagLicense, tagPackager              = 1009, 1011, 1014, 1015
	tagGroup, tagURL, tagArch                                = 1016, 1020, 1022
	tagPreIn, tagPostIn, tagPreUn, tagPostUn                 = 1023, 1024, 1025, 1026
	tagOldFiles, tagFileModes, tagFileFlags                  = 1027, 1030, 1037
	tagSourceRPM, tagProvideName, tagRequireFlags            = 1044, 1047, 1048
	tagRequireName, tagRequireVersion                        = 1049, 1050
	tagConflictFlags, tagConflictName, tagConflictVersion    = 1053, 1054, 1055
	tagChangelogTime, tagChangelogName, tagChangelogText     = 1080, 1081, 1082
	tagObsoleteName, tagProvideFlags, tagProvideVersion      = 1090, 1112, 1113
	tagObsoleteFlags, tagObsoleteVersion                     = 1114, 1115
	tagDirIndexes, tagBaseNames, tagDirNames                 = 1116, 1117, 1118
	tagLongSize, tagRecommendName                            = 5009, 5046
	tagSuggestName, tagPayloadDigest, tagPayloadDigestMethod = 5049, 5092, 5093
	// Version and flags of what is recommended and suggested follow their name.
)

// rpmHeader is a header's store: entries by tag.
type rpmHeader struct {
	entries map[uint32]rpmEntry
	store   []byte
	size    int64  // bytes in the file
	raw     []byte // what is digested and signed
	sha256  string
}

type rpmEntry struct{ kind, offset, count uint32 }

// readRPM reads lead, signature header and header, and checks the digests they
// hold of the header and the payload. Source: rpm's format, version 4.
func (p *File) readRPM(r io.ReadSeeker) error {
	lead := make([]byte, 96)
	if _, err := io.ReadFull(r, lead); err != nil {
		return fmt.Errorf("its lead is cut off: %w", noEOF(err))
	}
	if lead[4] < 3 || lead[7] != 0 {
		return errors.New("it is not a binary rpm of version 3 or 4")
	}
	signature, err := readHeader(r)
	if err != nil {
		return fmt.Errorf("its signature header: %w", err)
	}
	pad := (8 - signature.size%8) % 8
	if _, err := r.Seek(pad, io.SeekCurrent); err != nil {
		return err
	}
	h, err := readHeader(r)
	if err != nil {
		return fmt.Errorf("its header: %w", err)
	}
	if want := signature.text(sigSHA256); want != "" && want != h.sha256 {
		return fmt.Errorf("its header %w", errDigest)
	}
	if err := h.checkPayload(r, p); err != nil {
		return err
	}
	for _, tag := range []uint32{sigRSA, sigDSA, sigPGP, sigGPG} {
		_, has := signature.entries[tag]
		p.Signed = p.Signed || has
	}
	p.header = h
	p.headerSignature = signature.bytes(sigRSA)
	if p.headerSignature == nil {
		p.headerSignature = signature.bytes(sigDSA)
	}
	p.headerStart = 96 + signature.size + pad
	p.headerEnd = p.headerStart + h.size
	return p.describeRPM()
}

var errDigest = errors.New("is not what its digest says: the package is damaged")

func (h *rpmHeader) checkPayload(r io.Reader, p *File) error {
	sum := sha256.New()
	n, err := io.Copy(sum, r)
	if err != nil {
		return err
	}
	p.payloadBytes = n
	digests, method := h.texts(tagPayloadDigest), h.number(tagPayloadDigestMethod)
	if len(digests) > 0 && method == 8 && digests[0] != hex.EncodeToString(sum.Sum(nil)) {
		return fmt.Errorf("its payload %w", errDigest)
	}
	return nil
}

// readHeader reads one header section, and refuses entries that lead out of it.
func readHeader(r io.Reader) (*rpmHeader, error) {
	intro := make([]byte, 16)
	if _, err := io.ReadFull(r, intro); err != nil {
		return nil, fmt.Errorf("it is cut off: %w", noEOF(err))
	}
	if !bytes.HasPrefix(intro, []byte{0x8e, 0xad, 0xe8, 0x01}) {
		return nil, errors.New("it does not begin as a header does")
	}
	count, size := int64(binary.BigEndian.Uint32(intro[8:])), int64(binary.BigEndian.Uint32(intro[12:]))
	if count > 65535 || size > maxHeader {
		return nil, fmt.Errorf("it has %d entries and %d bytes, too many", count, size)
	}
	// Read what there is rather than reserve what is claimed.
	data, err := io.ReadAll(io.LimitReader(r, 16*count+size))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) < 16*count+size {
		return nil, fmt.Errorf("it is cut off: %w", io.ErrUnexpectedEOF)
	}
	h := &rpmHeader{entries: map[uint32]rpmEntry{}, raw: append(intro, data...), store: data[16*count:], size: 16 + 16*count + size}
	sum := sha256.Sum256(h.raw)
	h.sha256 = hex.EncodeToString(sum[:])
	for i := range count {
		e := data[16*i:]
		tag := binary.BigEndian.Uint32(e)
		entry := rpmEntry{kind: binary.BigEndian.Uint32(e[4:]), offset: binary.BigEndian.Uint32(e[8:]), count: binary.BigEndian.Uint32(e[12:])}
		if int64(entry.offset) >= size || int64(entry.count) > size {
			return nil, fmt.Errorf("entry %d leads out of it", tag)
		}
		if _, twice := h.entries[tag]; twice {
			return nil, fmt.Errorf("entry %d is there twice", tag)
		}
		h.entries[tag] = entry
	}
	return h, nil
}

// texts returns the strings of an entry, as far as they are whole.
func (h *rpmHeader) texts(tag uint32) []string {
	e, ok := h.entries[tag]
	if !ok || e.kind != 6 && e.kind != 8 && e.kind != 9 {
		return nil
	}
	rest := h.store[e.offset:]
	list := make([]string, 0, min(e.count, 1<<16))
	for range e.count {
		end := bytes.IndexByte(rest, 0)
		if end < 0 {
			return list
		}
		list = append(list, string(rest[:end]))
		rest = rest[end+1:]
	}
	return list
}

func (h *rpmHeader) text(tag uint32) string {
	if list := h.texts(tag); len(list) > 0 {
		return list[0]
	}
	return ""
}

// bytes returns a binary entry.
func (h *rpmHeader) bytes(tag uint32) []byte {
	e, ok := h.entries[tag]
	if !ok || e.kind != 7 || int64(e.offset)+int64(e.count) > int64(len(h.store)) {
		return nil
	}
	return h.store[e.offset : e.offset+e.count]
}

// numbers returns the integers of an entry.
func (h *rpmHeader) numbers(tag uint32) []uint64 {
	e, ok := h.entries[tag]
	width := map[uint32]int{3: 2, 4: 4, 5: 8}[e.kind]
	if !ok || width == 0 || int64(e.offset)+int64(e.count)*int64(width) > int64(len(h.store)) {
		return nil
	}
	list := make([]uint64, e.count)
	for i := range list {
		at := h.store[int(e.offset)+i*width:]
		switch width {
		case 2:
			list[i] = uint64(binary.BigEndian.Uint16(at))
		case 4:
			list[i] = uint64(binary.BigEndian.Uint32(at))
		default:
			list[i] = binary.BigEndian.Uint64(at)
		}
	}
	return list
}

func (h *rpmHeader) number(tag uint32) uint64 {
	if list := h.numbers(tag); len(list) > 0 {
		return list[0]
	}
	return 0
}

// rpmRelation is one line of what a package provides or needs.
type rpmRelation struct {
	name, flags, version string
	kind                 uint64
}

// relations pairs the three lists a relation is kept in.
func (h *rpmHeader) relations(name, version, flags uint32) []rpmRelation {
	names, versions, kinds := h.texts(name), h.texts(version), h.numbers(flags)
	list := make([]rpmRelation, 0, len(names))
	for i, n := range names {
		r := rpmRelation{name: n}
		if i < len(kinds) && i < len(versions) {
			r.kind, r.version = kinds[i], versions[i]
			r.flags = map[uint64]string{2: "LT", 4: "GT", 8: "EQ", 10: "LE", 12: "GE"}[r.kind&14]
		}
		list = append(list, r)
	}
	return list
}

// String writes the relation as rpm -q does.
func (r rpmRelation) String() string {
	if r.flags == "" {
		return r.name
	}
	return r.name + " " + map[string]string{"LT": "<", "GT": ">", "EQ": "=", "LE": "<=", "GE": ">="}[r.flags] + " " + r.version
}

// internal relations are rpm's own business.
func (r rpmRelation) internal() bool {
	return r.kind&(1<<24) != 0 || strings.HasPrefix(r.name, "rpmlib(")
}

// rpmFile is one path of a package.
type rpmFile struct {
	path          string
	folder, ghost bool
	config        bool
}

func (h *rpmHeader) files() ([]rpmFile, error) {
	names := h.texts(tagOldFiles)
	if bases := h.texts(tagBaseNames); len(bases) > 0 {
		folders, of := h.texts(tagDirNames), h.numbers(tagDirIndexes)
		if len(of) != len(bases) {
			return nil, fmt.Errorf("it has %d file names and %d folders of them", len(bases), len(of))
		}
		names = make([]string, len(bases))
		for i, b := range bases {
			if of[i] >= uint64(len(folders)) {
				return nil, fmt.Errorf("the file %q is in a folder that is not there", b)
			}
			names[i] = folders[of[i]] + b
		}
	}
	modes, flags := h.numbers(tagFileModes), h.numbers(tagFileFlags)
	list := make([]rpmFile, len(names))
	for i, n := range names {
		list[i].path = n
		if i < len(modes) {
			list[i].folder = modes[i]&0o170000 == 0o040000
		}
		if i < len(flags) {
			list[i].ghost, list[i].config = flags[i]&(1<<6) != 0, flags[i]&1 != 0
		}
	}
	return list, nil
}

func (p *File) describeRPM() error {
	h := p.header
	p.Package, p.Arch = h.text(tagName), h.text(tagArch)
	p.Version = h.text(tagVersion) + "-" + h.text(tagRelease)
	if epoch := h.number(tagEpoch); epoch > 0 {
		p.Version = strconv.FormatUint(epoch, 10) + ":" + p.Version
	}
	p.Summary, p.Description = h.text(tagSummary), h.text(tagDescription)
	p.Maintainer, p.Vendor, p.Homepage, p.License = h.text(tagPackager), h.text(tagVendor), h.text(tagURL), h.text(tagLicense)
	p.Installed = int64(max(h.number(tagSize), h.number(tagLongSize)) & (1<<62 - 1))
	lists := []struct {
		to                   *[]string
		name, version, flags uint32
	}{
		{&p.Depends, tagRequireName, tagRequireVersion, tagRequireFlags}, {&p.Provides, tagProvideName, tagProvideVersion, tagProvideFlags},
		{&p.Conflicts, tagConflictName, tagConflictVersion, tagConflictFlags}, {&p.Replaces, tagObsoleteName, tagObsoleteVersion, tagObsoleteFlags},
	}
	for _, l := range lists {
		for _, r := range h.relations(l.name, l.version, l.flags) {
			if !r.internal() {
				*l.to = append(*l.to, r.String())
			}
		}
	}
	files, err := h.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		p.Files = append(p.Files, f.path)
		if f.config {
			p.ConfigFiles = append(p.ConfigFiles, f.path)
		}
	}
	for tag, name := range map[uint32]string{tagPreIn: "prein", tagPostIn: "postin", tagPreUn: "preun", tagPostUn: "postun"} {
		if _, has := h.entries[tag]; has {
			p.Scripts = append(p.Scripts, name)
		}
	}
	slices.Sort(p.Scripts)
	return nil
}
