package scan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Tags of an rpm header that are read
// (https://rpm-software-management.github.io/rpm/manual/tags.html).
const (
	rpmName        = 1000
	rpmVersion     = 1001
	rpmRelease     = 1002
	rpmEpoch       = 1003
	rpmSummary     = 1004
	rpmVendor      = 1011
	rpmLicense     = 1014
	rpmPackager    = 1015
	rpmURL         = 1020
	rpmArch        = 1022
	rpmSourceRPM   = 1044
	rpmProvideName = 1047
	rpmRequireName = 1049
	rpmSHA256      = 273
)

// Types of an rpm header's entries.
const (
	rpmInt32       = 4
	rpmString      = 6
	rpmStringArray = 8
	rpmI18NString  = 9
)

const (
	mostRPMEntries = 1 << 16
	mostRPMData    = 256 << 20
)

// parseRPMHeader reads the header of an installed package as the database has it
// (https://rpm-software-management.github.io/rpm/manual/format_header.html, without
// the magic): numbers of entries and of bytes, the entries of 16 bytes (tag, type,
// offset, count), the bytes.
func parseRPMHeader(blob []byte) (osPackage, error) {
	if len(blob) < 8 {
		return osPackage{}, errors.New("an rpm header of less than 8 bytes")
	}
	entries, size := binary.BigEndian.Uint32(blob), binary.BigEndian.Uint32(blob[4:])
	if entries > mostRPMEntries || size > mostRPMData || uint64(len(blob)) < 8+16*uint64(entries)+uint64(size) {
		return osPackage{}, fmt.Errorf("an rpm header of %d entries and %d bytes in %d", entries, size, len(blob))
	}
	data := blob[8+16*entries : 8+16*entries+size]
	values := map[uint32][]string{}
	for i := range entries {
		e := blob[8+16*i:]
		tag, kind, offset, count := binary.BigEndian.Uint32(e), binary.BigEndian.Uint32(e[4:]), binary.BigEndian.Uint32(e[8:]), binary.BigEndian.Uint32(e[12:])
		if offset > size {
			continue // the region's own entry may count from the end
		}
		switch kind {
		case rpmString, rpmI18NString:
			values[tag] = rpmStrings(data[offset:], 1)
		case rpmStringArray:
			values[tag] = rpmStrings(data[offset:], count)
		case rpmInt32:
			if count > 0 && uint64(offset)+4 <= uint64(size) {
				values[tag] = []string{strconv.FormatUint(uint64(binary.BigEndian.Uint32(data[offset:])), 10)}
			}
		}
	}
	return rpmPackage(values)
}

// rpmStrings reads texts that end in zeros.
func rpmStrings(data []byte, count uint32) []string {
	var list []string
	for range count {
		text, rest, ok := bytes.Cut(data, []byte{0})
		if !ok {
			break
		}
		list = append(list, strings.ToValidUTF8(string(text), ""))
		data = rest
	}
	return list
}

func rpmPackage(values map[uint32][]string) (osPackage, error) {
	one := func(tag uint32) string {
		if v := values[tag]; len(v) > 0 && v[0] != "(none)" {
			return v[0]
		}
		return ""
	}
	p := osPackage{
		kind: "rpm", name: one(rpmName), version: one(rpmVersion), epoch: one(rpmEpoch), arch: one(rpmArch), source: one(rpmSourceRPM),
		supplier: rpmSupplier(one(rpmVendor), one(rpmPackager)), homepage: one(rpmURL), summary: one(rpmSummary),
	}
	if p.name == "" || p.version == "" {
		return osPackage{}, errors.New("an rpm header without a name and version")
	}
	if release := one(rpmRelease); release != "" {
		p.version += "-" + release
	}
	e, refs := readLicence(one(rpmLicense))
	p.licence, p.refs = e.String(), refs
	if p.licence != "" {
		p.note = "Declared in the package's own record."
	}
	if sum := one(rpmSHA256); sum != "" {
		p.comment = "rpm's SHA-256 of the package's header: " + sum
	}
	for _, need := range values[rpmRequireName] {
		if !strings.HasPrefix(need, "rpmlib(") {
			p.depends = append(p.depends, need)
		}
	}
	p.provides = values[rpmProvideName]
	return p, nil
}
