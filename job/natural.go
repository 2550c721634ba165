package job

import "strings"

// CompareBuildIDs compares two build ids so that numbers in them count as numbers: "9"
// comes before "10". It returns -1, 0 or +1.
func CompareBuildIDs(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na == 0 || nb == 0 {
			if a[0] != b[0] {
				if a[0] < b[0] {
					return -1
				}
				return +1
			}
			a, b = a[1:], b[1:]
			continue
		}
		x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
		if len(x) != len(y) {
			if len(x) < len(y) {
				return -1
			}
			return +1
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
		if c := nb - na; c != 0 { // more leading zeros come first
			if c < 0 {
				return -1
			}
			return +1
		}
		a, b = a[na:], b[nb:]
	}
	return strings.Compare(a, b)
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
