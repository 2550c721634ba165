package triage

import "strings"

// atom reads the letters and digits that begin at text[i], and what belongs to
// them where they are part of something longer.
func (s *scanner) atom(i, end int) int {
	text := s.text[:end]
	fresh := i == 0 || !is(text[i-1], alnum) && text[i-1] != '-' && text[i-1] != '_'
	if fresh {
		if mark, from, to := moment(text, i); to > 0 {
			s.keep(i, from)
			return s.mark(mark, from, to)
		}
	}
	j, seen := i, uint8(0)
	for j < end && is(text[j], alnum) {
		seen |= classes[text[j]]
		j++
	}
	if fresh {
		if j < end && text[j] == '-' {
			if mark, n := place(text[i:extentOfName(text, i)]); n > 0 {
				return s.mark(mark, i, i+n)
			}
		}
		if j < end && text[j] == ':' && seen&^(digit|hexadecimal|lower|upper|generated) == 0 && j-i <= 4 {
			if n := address6(text[i:]); n > 0 {
				return s.mark(markIP, i, i+n)
			}
		}
	}
	if seen&digit == 0 {
		if n := spelled(text, i, j); n > 0 {
			return s.mark(markID, i, i+n)
		}
		s.word = extent{i, j}
		return s.keep(i, j)
	}
	if is(text[i], digit) {
		return s.number(i, j, end)
	}
	return s.mixed(i, j, end)
}

// number reads what begins with a digit; the letters and digits end at j.
func (s *scanner) number(i, j, end int) int {
	text := s.text[:end]
	if n := address4(text[i:]); n > 0 {
		return s.mark(markIP, i, i+n)
	}
	if text[i] == '0' && j > i+2 && text[i+1]|0x20 == 'x' && allHex(text[i+2:j]) {
		return s.mark(markHex, i, j)
	}
	k := measure(text, i)
	if k < j || j-i >= 7 && allHex(text[i:j]) { // not 1h5m30s
		if n := identifier(text, i, j); n > 0 {
			return s.mark(markID, i, i+n)
		}
	}
	measured := k
	k = i
	for k < end && is(text[k], digit) {
		k++
	}
	if k == j && k-i <= 3 && s.named(i) && (k == end || text[k] != '.' || k+1 == end || !is(text[k+1], digit)) {
		return s.keep(i, k)
	}
	k = measured
	mark := markNumber
	if i > 1 && text[i-1] == '-' && is(text[i-2], alnum) { // a generated name may happen to have digits alone
		mark = markID
	}
	s.mark(mark, i, k)
	if k < j { // 2nd, 3xx: the letters say what the number is
		return s.keep(k, j)
	}
	return k
}

// named reports whether the number at text[i] follows a word after which a
// number is a name.
func (s *scanner) named(i int) bool {
	if s.word.to == 0 || i-s.word.to > 3 || i == s.word.to || strings.Trim(s.text[s.word.to:i], " :=#(\"'") != "" {
		return false
	}
	w := s.text[s.word.from:s.word.to]
	for _, name := range []string{"status", "code", "errno", "signal", "http", "exitcode", "statuscode", "rc"} {
		if strings.EqualFold(w, name) {
			return true
		}
	}
	return false
}

// measure returns where a number ends that begins at i: with its fraction, its
// exponent, and units, as in 1.5e+09, 1h5m30.1s, 128Mi.
func measure(text string, i int) int {
	for {
		for i < len(text) && (is(text[i], digit) || (text[i] == '.' || text[i] == ',') && i+1 < len(text) && is(text[i+1], digit)) {
			i++
		}
		if i+1 < len(text) && text[i] == 'e' && (text[i+1] == '+' || text[i+1] == '-') && i+2 < len(text) && is(text[i+2], digit) {
			i += 2
			continue
		}
		n := unit(text[i:])
		if n == 0 {
			return i
		}
		i += n
		if i == len(text) || !is(text[i], digit) {
			return i
		}
	}
}

// unit returns the length of a unit of time or size that ends there or before
// another number.
func unit(text string) int {
	n := 0
	for n < len(text) && n < 4 && is(text[n], alnum) && !is(text[n], digit) {
		n++
	}
	if n < len(text) && is(text[n], letter) {
		return 0
	}
	switch text[:n] {
	case "s", "m", "h", "d", "ms", "us", "µs", "ns", "k", "K", "M", "G", "T", "B", "kB", "KB", "MB", "GB", "TB", "Ki", "Mi", "Gi", "Ti", "KiB", "MiB", "GiB", "TiB":
		return n
	}
	return 0
}

// mixed reads letters and digits that begin with a letter.
func (s *scanner) mixed(i, j, end int) int {
	text := s.text[:end]
	if n := identifier(text, i, j); n > 0 {
		return s.mark(markID, i, i+n)
	}
	if text[i]|0x20 == 'v' && is(text[i+1], digit) && j+1 < end && text[j] == '.' && is(text[j+1], digit) {
		s.keep(i, i+1)
		return s.mark(markNumber, i+1, version(text, i+1))
	}
	k := j
	for k > i && is(text[k-1], digit) {
		k--
	}
	if j-k >= 3 && !strings.EqualFold(text[i:k], "sha") && !strings.EqualFold(text[i:k], "x") {
		s.keep(i, k)
		return s.mark(markNumber, k, j)
	}
	return s.keep(i, j)
}

// version returns where a version ends, with its pre-release and build.
func version(text string, i int) int {
	i = measure(text, i)
	for _, pre := range []string{"-alpha", "-beta", "-rc"} {
		if strings.HasPrefix(text[i:], pre) {
			i += len(pre)
			for i < len(text) && (is(text[i], digit) || text[i] == '.' && i+1 < len(text) && is(text[i+1], digit)) {
				i++
			}
		}
	}
	if i+1 < len(text) && text[i] == '+' && is(text[i+1], alnum) {
		for i++; i < len(text) && (is(text[i], alnum) || text[i] == '.' && i+1 < len(text) && is(text[i+1], alnum)); i++ {
		}
	}
	return i
}

func allHex(a string) bool {
	for i := range len(a) {
		if !is(a[i], hexadecimal) {
			return false
		}
	}
	return true
}

// spelled returns the length of an identifier that happens to have letters
// alone, which are text[i:j].
func spelled(text string, i, j int) int {
	a, suffix := text[i:j], i > 0 && text[i-1] == '-'
	switch n := len(a); {
	case n == 8 && allHex(a) && uuid(text[i:]) > 0:
		return uuid(text[i:])
	case n >= 12 && allHex(a), suffix && (n == 5 || n >= 8 && n <= 10) && generatedName(a):
		return n
	}
	return 0
}

// identifier returns the length of an identifier made by a machine that begins
// at text[i], whose letters and digits (there is a digit) end at j: a UUID, a
// digest, the suffix of a generated name, a mixture no person would type.
func identifier(text string, i, j int) int {
	a := text[i:j]
	hex := allHex(a)
	if len(a) == 8 && hex {
		if n := uuid(text[i:]); n > 0 {
			return n
		}
	}
	changes, letters := 0, 0
	for k := range len(a) {
		if !is(a[k], digit) {
			letters++
		}
		if k > 0 && is(a[k], digit) != is(a[k-1], digit) {
			changes++
		}
	}
	switch {
	case letters == 0:
		return 0
	case hex && len(a) >= 7 && !strings.Contains(a, "e+"):
		return len(a)
	case changes >= 3 && len(a) >= 8 && !apiVersion(a), changes >= 4 && len(a) >= 6 && !apiVersion(a):
		return len(a)
	case i == 0 || text[i-1] != '-':
		return 0
	case (len(a) == 4 || len(a) == 5 || len(a) >= 8 && len(a) <= 10) && generatedName(a), (len(a) == 4 || len(a) == 5) && changes >= 2 && !apiVersion(a):
		return len(a)
	}
	return 0
}

// apiVersion reports whether a is one like v1beta1.
func apiVersion(a string) bool {
	return a[0] == 'v' && (strings.Contains(a, "alpha") || strings.Contains(a, "beta"))
}

// generatedName reports whether a is of the letters Kubernetes generates names
// from, and no word that happens to be.
func generatedName(a string) bool {
	for i := range len(a) {
		if !is(a[i], generated) {
			return false
		}
	}
	switch a {
	case "http", "https", "http2", "btrfs", "tmpfs", "xhtml", "lxcfs", "smtps", "nfsv4", "ppc64", "bpffs", "zstd", "crypt", "grpcs", "kbps", "mbps":
		return false
	}
	return true
}

// uuid returns 36 if text begins with a UUID.
func uuid(text string) int {
	if len(text) < 36 {
		return 0
	}
	for i := range 36 {
		switch i {
		case 8, 13, 18, 23:
			if text[i] != '-' {
				return 0
			}
		default:
			if !is(text[i], hexadecimal) {
				return 0
			}
		}
	}
	if len(text) > 36 && is(text[36], alnum) {
		return 0
	}
	return 36
}

// extentOfName returns where a name of letters, digits, dashes and dots ends, of
// at most 255 bytes as names of hosts have.
func extentOfName(text string, i int) int {
	j := i
	for j < len(text) && j-i < 255 && (is(text[j], alnum) || text[j] == '-' || text[j] == '.') {
		j++
	}
	for j > i && !is(text[j-1], alnum) {
		j--
	}
	return j
}

// place returns what a name that begins a text is, if it is where something
// ran, and the name's length.
func place(name string) (mark string, n int) {
	host, domain, _ := strings.Cut(name, ".")
	if !strings.HasSuffix(domain, "internal") {
		domain = ""
	}
	n = len(host)
	if domain != "" {
		n += 1 + len(domain)
	}
	if node(host) {
		return markNode, n
	}
	if zone(host) {
		return markZone, len(host)
	}
	return "", 0
}

// node reports whether a name is of the form that GCE, GKE, EKS, AKS, kOps or
// kind give to machines.
func node(name string) bool {
	first, rest, _ := strings.Cut(name, "-")
	switch first {
	case "ip":
		return strings.Count(rest, "-") == 3 && strings.Trim(rest, "0123456789-") == ""
	case "i":
		return len(rest) >= 8 && allHex(rest)
	case "kind":
		return strings.HasPrefix(rest, "worker") || strings.HasPrefix(rest, "control-plane")
	case "aks":
		return strings.Contains(rest, "-vmss")
	case "nodes", "master", "control":
		last := rest[strings.LastIndexByte(rest, '-')+1:]
		return len(last) >= 4 && len(last) < len(rest) && strings.ContainsAny(rest, "0123456789")
	}
	return strings.Contains(rest, "minion-group-") || strings.Contains(rest, "default-pool-")
}

// zone reports whether a name is a cloud's region (us-central1, us-east-1) or a
// zone of one (us-central1-b, us-east-1a).
func zone(name string) bool {
	first, rest, _ := strings.Cut(name, "-")
	switch first {
	case "us", "eu", "europe", "asia", "australia", "northamerica", "southamerica", "ap", "sa", "ca", "me", "af", "africa":
	default:
		return false
	}
	direction, number, amazon := strings.Cut(rest, "-")
	for _, d := range []string{"northeast", "southeast", "northwest", "southwest", "central", "north", "south", "east", "west"} {
		tail, ok := strings.CutPrefix(direction, d)
		if !ok {
			continue
		}
		if tail == "" { // us-east-1a
			return amazon && len(number) >= 1 && len(number) <= 2 && is(number[0], digit)
		}
		return is(tail[0], digit) && len(tail) <= 2 && (!amazon || len(number) == 1)
	}
	return false
}

// address4 returns the length of an IPv4 address with its port or mask.
func address4(text string) int {
	i := 0
	for part := range 4 {
		n := 0
		for i < len(text) && is(text[i], digit) {
			i, n = i+1, n+1
		}
		if n == 0 || n > 3 {
			return 0
		}
		if part < 3 {
			if i == len(text) || text[i] != '.' {
				return 0
			}
			i++
		}
	}
	if i+1 < len(text) && (text[i] == ':' || text[i] == '/') && is(text[i+1], digit) {
		for i++; i < len(text) && is(text[i], digit); i++ {
		}
	}
	return i
}

// address6 returns the length of an IPv6 or hardware address.
func address6(text string) int {
	i, colons, double, digits := 0, 0, false, false
	for i < len(text) && i < 46 && (text[i] == ':' || is(text[i], hexadecimal)) {
		if text[i] == ':' {
			colons++
			double = double || i > 0 && text[i-1] == ':'
		}
		digits = digits || is(text[i], digit)
		i++
	}
	if i > 1 && text[i-1] == ':' && text[i-2] != ':' { // punctuation
		i, colons = i-1, colons-1
	}
	if i < len(text) && is(text[i], alnum) || i > 45 || !digits {
		return 0
	}
	if double && colons >= 2 && colons <= 8 || colons == 7 || colons == 5 && i == 17 {
		return i
	}
	return 0
}
