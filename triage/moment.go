package triage

import "strings"

// moment returns the mark and the extent of a date, a time of day or both that
// begins at text[i], in the forms logs and languages print; to is 0 if there is
// none. From is after i where a letter before the moment means something, as
// the level in I0102 15:04:05.
func moment(text string, i int) (mark string, from, to int) {
	b := text[i]
	if is(b, digit) {
		return markTime, i, numericMoment(text, i)
	}
	if !is(b, upper) || i+4 >= len(text) {
		return "", i, 0
	}
	if strings.IndexByte("IWEFD", b) >= 0 && digits(text, i+1) == 4 && text[i+5:] != "" && text[i+5] == ' ' {
		if to := clock(text, i+6); to > 0 {
			return markTime, i + 1, to
		}
	}
	if len(text)-i < 8 || !is(text[i+1], lower) || !is(text[i+2], lower) {
		return "", i, 0
	}
	return markTime, i, wordedMoment(text, i)
}

// numericMoment is one that begins with a digit.
func numericMoment(text string, i int) int {
	switch n := digits(text, i); {
	case n == 4 && i+9 < len(text) && (text[i+4] == '-' || text[i+4] == '/') && digits(text, i+5) == 2 && text[i+7] == text[i+4] && digits(text, i+8) == 2:
		at := i + 10
		if at < len(text) && strings.IndexByte("T _", text[at]) >= 0 {
			for _, separator := range []byte(":_-") { // the latter in names of files
				if to := clockOf(text, at+1, separator); to > 0 {
					return to
				}
			}
		}
		return at
	case n == 1 || n == 2:
		at := i + n
		if at >= len(text) {
			return 0
		}
		switch text[at] {
		case ':':
			return clock(text, i)
		case '/':
			m := digits(text, at+1)
			y := at + 1 + m
			if m < 1 || m > 2 || y >= len(text) || text[y] != '/' {
				return 0
			}
			d := digits(text, y+1)
			if d != 2 && d != 4 || y+1+d >= len(text) || text[y+1+d] != ' ' {
				return 0
			}
			return clock(text, y+2+d)
		case ' ':
			return dayMonth(text, i)
		}
	}
	return 0
}

// wordedMoment begins with a day of the week or a month.
func wordedMoment(text string, i int) int {
	if oneOf(text[i:i+3], "MonTueWedThuFriSatSun") {
		at := i + 3
		if text[at] == ',' {
			at++
		}
		if at+4 >= len(text) || text[at] != ' ' {
			return 0
		}
		i = at + 1
		if is(text[i], digit) {
			return dayMonth(text, i)
		}
		if i+4 >= len(text) {
			return 0
		}
	}
	if !oneOf(text[i:i+3], "JanFebMarAprMayJunJulAugSepOctNovDec") || text[i+3] != ' ' {
		return 0
	}
	at := i + 4
	for at < len(text) && text[at] == ' ' {
		at++
	}
	n := digits(text, at)
	if n < 1 || n > 2 || at+n >= len(text) || text[at+n] != ' ' {
		return 0
	}
	to := clock(text, at+n+1)
	if to > 0 && digits(text, to+1) == 4 && text[to] == ' ' {
		to += 5
	}
	return to
}

// dayMonth is 02 Jan 2006 15:04:05.
func dayMonth(text string, i int) int {
	at := i + digits(text, i)
	if at >= len(text) || text[at] != ' ' {
		return 0
	}
	word := at + 1
	for at = word; at < len(text) && is(text[at], letter); at++ {
	}
	if at-word < 3 || !oneOf(text[word:word+3], "JanFebMarAprMayJunJulAugSepOctNovDec") || at >= len(text) || text[at] != ' ' || digits(text, at+1) != 4 {
		return 0
	}
	at += 5
	if at < len(text) && text[at] == ' ' {
		if to := clock(text, at+1); to > 0 {
			return to
		}
	}
	return at
}

func oneOf(word, list string) bool {
	for i := 0; i < len(list); i += 3 {
		if word == list[i:i+3] {
			return true
		}
	}
	return false
}

// digits counts those that begin at text[i].
func digits(text string, i int) int {
	n := 0
	for i+n < len(text) && is(text[i+n], digit) {
		n++
	}
	return n
}

// clock returns where a time of day ends that begins at text[i], with its
// fraction, its zone and Go's monotonic reading; 0 if there is none.
func clock(text string, i int) int { return clockOf(text, i, ':') }

func clockOf(text string, i int, separator byte) int {
	n := digits(text, i)
	if n < 1 || n > 2 {
		return 0
	}
	i += n
	for range 2 {
		if i >= len(text) || text[i] != separator || digits(text, i+1) != 2 {
			return 0
		}
		i += 3
	}
	if i < len(text) && (text[i] == '.' || text[i] == ',' || text[i] == separator) && digits(text, i+1) > 0 {
		i += 1 + digits(text, i+1)
	}
	i = offset(text, i)
	for _, name := range []string{" UTC", " GMT", " PST", " PDT", " EST", " EDT", " CET", " CEST", " MST", " AM", " PM"} {
		if strings.HasPrefix(text[i:], name) && (i+len(name) == len(text) || !is(text[i+len(name)], alnum)) {
			i += len(name)
			break
		}
	}
	if strings.HasPrefix(text[i:], " m=+") || strings.HasPrefix(text[i:], " m=-") {
		i = measure(text, i+4)
	}
	return i
}

// offset returns where an offset from UTC ends that begins at text[i], or i.
func offset(text string, i int) int {
	if i < len(text) && text[i] == 'Z' && (i+1 == len(text) || !is(text[i+1], alnum)) {
		return i + 1
	}
	at := i
	if at < len(text) && text[at] == ' ' {
		at++
	}
	if at >= len(text) || text[at] != '+' && text[at] != '-' {
		return i
	}
	switch n := digits(text, at+1); {
	case n == 4:
		return at + 5
	case n == 2 && at+3 < len(text) && text[at+3] == ':' && digits(text, at+4) == 2:
		return at + 6
	}
	return i
}
