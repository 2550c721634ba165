package flow

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// encode returns v as JSON. The error is permanent: the same value fails the
// same way every time. A value that does not come back from JSON as it went in
// is refused, since a resumed run would see another one than a run that was not
// interrupted.
func encode[T any](v T) (json.RawMessage, error) {
	first, err := json.Marshal(v)
	if err != nil {
		return nil, Permanent(fmt.Errorf("encoding a %T: %w", v, err))
	}
	back, err := decode[T](first)
	if err != nil {
		return nil, Permanent(err)
	}
	second, err := json.Marshal(back)
	if err != nil {
		return nil, Permanent(fmt.Errorf("encoding a %T again: %w", v, err))
	}
	if !bytes.Equal(first, second) {
		return nil, Permanent(fmt.Errorf("a %T does not survive JSON: it went in as %.200s and came back as %.200s", v, first, second))
	}
	return first, nil
}

func decode[T any](raw json.RawMessage) (T, error) {
	var v T
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, fmt.Errorf("decoding a %T: %w", v, err)
	}
	return v, nil
}

// finish encodes a step's result. A skipped step has an output too.
func finish[Out any](out Out, found bool, err error) (json.RawMessage, bool, error) {
	var skip *skipError
	if err != nil && !errors.As(err, &skip) || err == nil && !found {
		return nil, false, err
	}
	encoded, encodeErr := encode(out)
	if encodeErr != nil {
		return nil, false, encodeErr
	}
	return encoded, found, err
}

// sameJSON compares what a value means: a database may have put keys in another
// order.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, errX := canonical(a)
	y, errY := canonical(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func canonical(raw json.RawMessage) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// checkType refuses, when the flow is defined, types that JSON would lose
// something of.
func checkType[T any]() error {
	t := reflect.TypeFor[T]()
	if err := lossy(t, map[reflect.Type]bool{}); err != nil {
		return fmt.Errorf("%v cannot be a step's input or output: %w", t, err)
	}
	return nil
}

func lossy(t reflect.Type, seen map[reflect.Type]bool) error {
	if seen[t] {
		return nil
	}
	seen[t] = true
	if t.Implements(marshaler) || t.Implements(textMarshaler) || reflect.PointerTo(t).Implements(marshaler) {
		return nil
	}
	switch t.Kind() {
	case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("%v has no JSON form", t)
	case reflect.Interface:
		return fmt.Errorf("%v comes back from JSON as something else", t)
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return lossy(t.Elem(), seen)
	case reflect.Struct:
		for f := range t.Fields() {
			switch {
			case f.Tag.Get("json") == "-":
				return fmt.Errorf("field %s of %v is left out of JSON", f.Name, t)
			case !f.IsExported() && !f.Anonymous:
				return fmt.Errorf("field %s of %v is not exported", f.Name, t)
			}
			if err := lossy(f.Type, seen); err != nil {
				return err
			}
		}
	}
	return nil
}
