package scan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// parseRPMs reads rpm's database of installed packages, in any of the forms it
// has had: Berkeley DB, ndb, SQLite.
func parseRPMs(db []byte) ([]osPackage, error) {
	var blobs [][]byte
	var err error
	switch {
	case bytes.HasPrefix(db, []byte("SQLite format 3\x00")):
		blobs, err = sqliteBlobs(db)
	case bytes.HasPrefix(db, []byte("RpmP")):
		blobs, err = ndbBlobs(db)
	case len(db) >= 16 && (binary.LittleEndian.Uint32(db[12:]) == bdbHash || binary.BigEndian.Uint32(db[12:]) == bdbHash):
		blobs, err = bdbBlobs(db)
	default:
		err = errors.New("it is neither SQLite nor ndb nor Berkeley DB")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the rpm database: %w", ErrBroken, err)
	}
	var list []osPackage
	for _, b := range blobs {
		p, err := parseRPMHeader(b)
		if err != nil {
			return nil, fmt.Errorf("%w: the rpm database: %w", ErrBroken, err)
		}
		if p.name != "gpg-pubkey" { // a key, kept like a package
			list = append(list, p)
		}
	}
	return list, nil
}

// ndb (rpm's lib/backend/ndb/rpmpkg.c): a head and slots of 16 bytes in pages of
// 4096, blobs in blocks of 16 bytes. Little endian.
const (
	ndbPage      = 4096
	ndbSlot      = 16
	ndbHeadSlots = 2
	ndbBlobHead  = 16
)

func ndbBlobs(db []byte) ([][]byte, error) {
	if len(db) < ndbPage {
		return nil, errors.New("ndb: shorter than a page")
	}
	pages := binary.LittleEndian.Uint32(db[12:])
	if uint64(pages)*ndbPage > uint64(len(db)) || pages == 0 {
		return nil, fmt.Errorf("ndb: %d pages of slots in %d bytes", pages, len(db))
	}
	var blobs [][]byte
	for at := ndbHeadSlots * ndbSlot; at+ndbSlot <= int(pages)*ndbPage; at += ndbSlot {
		slot := db[at:]
		if string(slot[:4]) != "Slot" {
			return nil, fmt.Errorf("ndb: no slot at %d", at)
		}
		index, offset := binary.LittleEndian.Uint32(slot[4:]), uint64(binary.LittleEndian.Uint32(slot[8:]))*ndbSlot
		if index == 0 || offset == 0 {
			continue
		}
		if offset+ndbBlobHead > uint64(len(db)) || string(db[offset:offset+4]) != "BlbS" || binary.LittleEndian.Uint32(db[offset+4:]) != index {
			return nil, fmt.Errorf("ndb: no blob of package %d", index)
		}
		length := uint64(binary.LittleEndian.Uint32(db[offset+12:]))
		if offset+ndbBlobHead+length > uint64(len(db)) {
			return nil, fmt.Errorf("ndb: package %d is cut off", index)
		}
		blobs = append(blobs, db[offset+ndbBlobHead:offset+ndbBlobHead+length])
	}
	return blobs, nil
}

// Berkeley DB's hash method (db_page.h of its source): a metadata page, then pages
// with an index of 2 bytes an entry, keys and values in turn. Long values are in
// chains of overflow pages, of which the entry tells the first and the length.
const (
	bdbHash         = 0x00061561
	bdbPageHead     = 26
	bdbUnsortedPage = 2
	bdbHashPage     = 13
	bdbOverflowPage = 7
	bdbKeyData      = 1
	bdbOffPage      = 3
)

func bdbBlobs(db []byte) ([][]byte, error) {
	var order binary.ByteOrder = binary.LittleEndian
	if order.Uint32(db[12:]) != bdbHash {
		order = binary.BigEndian
	}
	if len(db) < 512 {
		return nil, errors.New("in the Berkeley DB: shorter than its metadata")
	}
	size := int(order.Uint32(db[20:]))
	if size < 512 || size > 64<<10 || size&(size-1) != 0 {
		return nil, fmt.Errorf("in the Berkeley DB: pages of %d bytes", size)
	}
	if db[24] != 0 {
		return nil, errors.New("in the Berkeley DB: it is encrypted")
	}
	last := int(order.Uint32(db[32:]))
	var blobs [][]byte
	for n := 1; n <= last && (n+1)*size <= len(db); n++ {
		page := db[n*size : (n+1)*size]
		if page[25] != bdbUnsortedPage && page[25] != bdbHashPage {
			continue
		}
		entries := int(order.Uint16(page[20:]))
		if bdbPageHead+2*entries > size {
			return nil, fmt.Errorf("in the Berkeley DB: %d entries on a page", entries)
		}
		for i := 1; i < entries; i += 2 { // keys stand between
			at := int(order.Uint16(page[bdbPageHead+2*i:]))
			blob, err := bdbValue(db, page, at, bdbEnd(page, order, i, size), size, order)
			if err != nil {
				return nil, err
			}
			if len(blob) > 8 { // shorter ones are the counter of packages
				blobs = append(blobs, blob)
			}
		}
	}
	return blobs, nil
}

// bdbEnd is where an entry of a page ends: where the one before it begins, for
// they grow downwards.
func bdbEnd(page []byte, order binary.ByteOrder, i, size int) int {
	if i == 0 {
		return size
	}
	return int(order.Uint16(page[bdbPageHead+2*(i-1):]))
}

func bdbValue(db, page []byte, at, end, size int, order binary.ByteOrder) ([]byte, error) {
	if at < bdbPageHead || at >= size {
		return nil, fmt.Errorf("in the Berkeley DB: an entry at %d of a page", at)
	}
	switch page[at] {
	case bdbKeyData:
		if end <= at || end > size {
			return nil, fmt.Errorf("in the Berkeley DB: an entry from %d to %d", at, end)
		}
		return page[at+1 : end], nil
	case bdbOffPage:
		if at+12 > size {
			return nil, errors.New("in the Berkeley DB: a pointer that is cut off")
		}
		next, length := int(order.Uint32(page[at+4:])), int(order.Uint32(page[at+8:]))
		if length < 0 || length > len(db) {
			return nil, fmt.Errorf("in the Berkeley DB: a value of %d bytes", length)
		}
		value := make([]byte, 0, length)
		for len(value) < length {
			if next <= 0 || next >= len(db)/size || db[next*size+25] != bdbOverflowPage {
				return nil, fmt.Errorf("in the Berkeley DB: no more of a value on page %d", next)
			}
			p := db[next*size : (next+1)*size]
			used := int(order.Uint16(p[22:]))
			if used == 0 || bdbPageHead+used > size {
				return nil, fmt.Errorf("in the Berkeley DB: page %d holds %d bytes", next, used)
			}
			value = append(value, p[bdbPageHead:bdbPageHead+min(used, length-len(value))]...)
			next = int(order.Uint32(p[16:]))
		}
		return value, nil
	}
	return nil, nil // duplicates, which the database of packages has not
}
