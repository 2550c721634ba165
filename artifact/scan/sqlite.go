package scan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// sqliteFile reads one table of an SQLite database that nobody writes to
// (https://www.sqlite.org/fileformat.html): tables are trees of pages, rows are
// records of serial types, long ones go on in overflow pages.
type sqliteFile struct {
	data   []byte
	page   int // bytes of a page
	usable int // of them without the reserved ones
	visits int
}

const (
	sqliteHead     = 100
	sqliteInterior = 5 // of a table's tree
	sqliteLeaf     = 13
	sqliteDeepest  = 40
)

// sqliteBlobs reads the column blob of the table Packages.
func sqliteBlobs(db []byte) ([][]byte, error) {
	if len(db) < 512 {
		return nil, errors.New("SQLite: shorter than a page")
	}
	f := &sqliteFile{data: db, page: int(binary.BigEndian.Uint16(db[16:]))}
	if f.page == 1 {
		f.page = 64 << 10
	}
	f.usable = f.page - int(db[20])
	if f.page < 512 || f.page&(f.page-1) != 0 || f.usable < 480 {
		return nil, fmt.Errorf("SQLite: pages of %d bytes", f.page)
	}
	root := 0
	err := f.table(1, 0, func(record [][]byte) error {
		// type, name, tbl_name, rootpage, sql
		if len(record) >= 4 && string(record[0]) == "table" && strings.EqualFold(string(record[1]), "Packages") {
			root = int(sqliteInt(record[3]))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if root == 0 {
		return nil, errors.New("SQLite: it has no table Packages")
	}
	var blobs [][]byte
	err = f.table(root, 0, func(record [][]byte) error {
		if len(record) < 2 {
			return errors.New("SQLite: a row of Packages without a blob")
		}
		blobs = append(blobs, record[1])
		return nil
	})
	return blobs, err
}

// table visits the rows of a table's tree in order.
func (f *sqliteFile) table(number, depth int, row func([][]byte) error) error {
	if f.visits++; depth > sqliteDeepest || f.visits > len(f.data)/f.page+2 {
		return errors.New("SQLite: its pages go round in a circle")
	}
	p, err := f.at(number)
	if err != nil {
		return err
	}
	head := 0
	if number == 1 {
		head = sqliteHead
	}
	kind, cells := p[head], int(binary.BigEndian.Uint16(p[head+3:]))
	pointers := head + 8
	if kind == sqliteInterior {
		pointers = head + 12
	}
	if kind != sqliteInterior && kind != sqliteLeaf || pointers+2*cells > len(p) {
		return fmt.Errorf("SQLite: page %d is no table's, of type %d with %d cells", number, kind, cells)
	}
	for i := range cells {
		at := int(binary.BigEndian.Uint16(p[pointers+2*i:]))
		if at+4 > len(p) {
			return fmt.Errorf("SQLite: a cell at %d of page %d", at, number)
		}
		if kind == sqliteInterior {
			err = f.table(int(binary.BigEndian.Uint32(p[at:])), depth+1, row)
		} else {
			err = f.cell(p, at, row)
		}
		if err != nil {
			return err
		}
	}
	if kind == sqliteInterior {
		return f.table(int(binary.BigEndian.Uint32(p[head+8:])), depth+1, row)
	}
	return nil
}

func (f *sqliteFile) at(number int) ([]byte, error) {
	if number < 1 || number > len(f.data)/f.page {
		return nil, fmt.Errorf("SQLite: there is no page %d", number)
	}
	return f.data[(number-1)*f.page : (number-1)*f.page+f.usable], nil
}

// cell reads one row of a leaf.
func (f *sqliteFile) cell(p []byte, at int, row func([][]byte) error) error {
	length, n := sqliteVarint(p[at:])
	if n == 0 || length > uint64(len(f.data)) {
		return errors.New("SQLite: a row longer than the file")
	}
	at += n
	if _, n = sqliteVarint(p[at:]); n == 0 { // the row's number
		return errors.New("SQLite: a row that is cut off")
	}
	payload, err := f.payload(p, at+n, int(length))
	if err != nil {
		return err
	}
	record, err := sqliteRecord(payload)
	if err != nil {
		return err
	}
	return row(record)
}

// payload joins what is on the page and what is on overflow pages.
func (f *sqliteFile) payload(p []byte, at, length int) ([]byte, error) {
	local := length
	if most := f.usable - 35; length > most {
		least := (f.usable-12)*32/255 - 23
		if local = least + (length-least)%(f.usable-4); local > most {
			local = least
		}
	}
	if at+local > len(p) || local < length && at+local+4 > len(p) {
		return nil, errors.New("SQLite: a row that is cut off")
	}
	if local == length {
		return p[at : at+length], nil
	}
	all := append(make([]byte, 0, length), p[at:at+local]...)
	next := int(binary.BigEndian.Uint32(p[at+local:]))
	for len(all) < length {
		o, err := f.at(next)
		if err != nil {
			return nil, err
		}
		all = append(all, o[4:min(len(o), 4+length-len(all))]...)
		next = int(binary.BigEndian.Uint32(o))
	}
	return all, nil
}

// sqliteRecord splits a row into its columns' bytes.
func sqliteRecord(b []byte) ([][]byte, error) {
	size, n := sqliteVarint(b)
	if n == 0 || size > uint64(len(b)) || size < uint64(n) {
		return nil, errors.New("SQLite: a record without a head")
	}
	head, body := b[n:size], b[size:]
	var columns [][]byte
	for len(head) > 0 {
		serial, n := sqliteVarint(head)
		if n == 0 {
			return nil, errors.New("SQLite: a record's head is cut off")
		}
		head = head[n:]
		var length uint64
		switch {
		case serial <= 4:
			length = serial
		case serial == 5:
			length = 6
		case serial == 6 || serial == 7:
			length = 8
		case serial >= 12:
			length = (serial - 12) / 2
		}
		if length > uint64(len(body)) {
			return nil, errors.New("SQLite: a column longer than its record")
		}
		columns = append(columns, body[:length])
		body = body[length:]
	}
	return columns, nil
}

// sqliteVarint reads 1 to 9 bytes, big end first; 0 bytes if they are cut off.
func sqliteVarint(b []byte) (v uint64, n int) {
	for n < len(b) && n < 8 {
		v = v<<7 | uint64(b[n]&0x7f)
		n++
		if b[n-1] < 0x80 {
			return v, n
		}
	}
	if n < 8 || n >= len(b) {
		return 0, 0
	}
	return v<<8 | uint64(b[8]), 9
}

func sqliteInt(b []byte) (v int64) {
	for i, c := range b {
		if i == 0 {
			v = int64(int8(c))
			continue
		}
		v = v<<8 | int64(c)
	}
	return v
}
