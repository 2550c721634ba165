package result_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"

	"seaworthy/job/result"
)

func TestEncodings(t *testing.T) {
	t.Parallel()
	const name = "Größe 𝄞 €"
	document := `<testsuite><testcase name="` + name + `"/></testsuite>`
	utf16Text := func(high int, mark bool) []byte {
		units := utf16.Encode([]rune(document))
		if mark {
			units = append([]uint16{0xFEFF}, units...)
		}
		var out []byte
		for _, u := range units {
			pair := [2]byte{byte(u), byte(u)}
			pair[high] = byte(u >> 8)
			out = append(out, pair[:]...)
		}
		return out
	}
	tests := map[string]struct {
		in    []byte
		want  string
		fault string
	}{
		"UTF-8 with a mark":             {append([]byte("\xEF\xBB\xBF"), document...), name, ""},
		"UTF-16, upper byte first":      {utf16Text(0, true), name, ""},
		"UTF-16, lower byte first":      {utf16Text(1, true), name, ""},
		"UTF-16 without a mark":         {utf16Text(0, false), name, ""},
		"UTF-16 the other way":          {utf16Text(1, false), name, ""},
		"says UTF-16, is not":           {[]byte(`<?xml version="1.0" encoding="UTF-16"?>` + document), name, ""},
		"Latin-1":                       {[]byte("<?xml version='1.0' encoding = 'ISO-8859-1' ?><testsuite><testcase name='Gr\xf6\xdfe'/></testsuite>"), "Größe", ""},
		"Windows":                       {[]byte("<?xml version='1.0' encoding='windows-1252'?><testsuite><testcase name='5 \x80 \x81'/></testsuite>"), "5 € \uFFFD", ""},
		"unknown, but ASCII":            {[]byte("<?xml version='1.0' encoding='Shift_JIS'?><testsuite><testcase name='a'/></testsuite>"), "a", ""},
		"unknown":                       {[]byte("<?xml version='1.0' encoding='Shift_JIS'?>\n<testsuite><testcase name='\x82\xa0'/></testsuite>"), "", `the encoding "Shift_JIS", which is not read`},
		"a surrogate alone":             {append(utf16Text(0, true)[:2], 0, '<', 0xD8, 0), "", "malformed"},
		"half of a unit":                {utf16Text(0, true)[:31], "", "malformed"},
		"declared where nobody looks":   {[]byte("<testsuite><testcase name='encoding=\"x\"?>'/></testsuite>"), `encoding="x"?>`, ""},
		"an end of line within a value": {[]byte("<testsuite><testcase name='a\r\nb'/></testsuite>"), "a\nb", ""},
	}
	for what, tt := range tests {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{bytes.NewReader(tt.in), iotest.OneByteReader(bytes.NewReader(tt.in)), iotest.DataErrReader(bytes.NewReader(tt.in))} {
				got, err := result.ParseJUnit(r, result.Limits{})
				var malformed *result.MalformedError
				switch {
				case tt.fault != "" && (!errors.As(err, &malformed) || !strings.Contains(err.Error(), tt.fault)):
					t.Errorf("got %v, want %s", err, tt.fault)
				case tt.fault == "" && (err != nil || len(got) != 1 || got[0].Name != tt.want):
					t.Errorf("got %+v, %v, want %q", got, err, tt.want)
				}
			}
		})
	}
}

func TestLenientXML(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, name, message string }{
		"no quotes":            {`<testsuite name=s><testcase name=a time=1 disabled><failure message=m></failure></testcase></testsuite>`, "s.a", "m"},
		"unknown entity":       {`<testsuite><testcase name="a&nbsp;b&b&"><failure>x &lt; y &foo z & a&</failure></testcase></testsuite>`, "a&nbsp;b&b&", "x < y &foo z & a&"},
		"forbidden reference":  {`<testsuite><testcase name="a"><failure>&#27;[31m &#0; &#x110000; &#xD800; &#zz;</failure></testcase></testsuite>`, "a", "\uFFFD[31m \uFFFD \uFFFD \uFFFD &#zz;"},
		"text after the root":  {"<testsuite><testcase name='a'><failure>m</failure></testcase></testsuite>\ntrailing & > text", "a", "m"},
		"less than in a value": {`<testsuite><testcase name="a<b"><failure message="1 < 2"/></testcase></testsuite>`, "a<b", "1 < 2"},
		"escape codes":         {"<testsuite><testcase name='a'><failure>\x1b[31mred\x00</failure></testcase></testsuite>", "a", "\uFFFD[31mred\uFFFD"},
		"property as a text":   {`<testsuite><testcase name="a"><properties><property name="p">7</property></properties><failure>m</failure></testcase></testsuite>`, "a", "m"},
	}
	for what, tt := range tests {
		got, err := result.ParseJUnit(strings.NewReader(tt.in), result.Limits{})
		if err != nil || len(got) != 1 || got[0].Name != tt.name || got[0].Message != tt.message {
			t.Errorf("%s: got %+v, %v", what, got, err)
		}
		if what == "property as a text" && got[0].Metrics["p"] != 7 {
			t.Errorf("%s: got %v", what, got[0].Metrics)
		}
	}
}

func TestMalformedXML(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in, fault string
		tests     int
	}{
		"ends crosswise":      {"<testsuite><testcase name='a'/>\n<testcase name='b'><failure></testcase></failure></testsuite>", "line 2: testcase ends inside of failure", 1},
		"ends too often":      {"<testsuite></testsuite></testsuite>", "has not begun", 0},
		"no element":          {"<testsuite>1 < 2</testsuite>", "must be written &lt;", 0},
		"in a tag":            {"<testsuite><testcase name='a'/><testcase ", "inside of a tag", 1},
		"in a value":          {"<testsuite><testcase name='a'/><testcase name='", "inside of an attribute", 1},
		"in CDATA":            {"<testsuite><testcase name='a'/><testcase><failure><![CDATA[x]]", "before ]]>", 1},
		"in a comment":        {"<testsuite><testcase name='a'/><!-- --", "before -->", 1},
		"in a section":        {"<testsuite><testcase name='a'/><![CDAT", "inside of a tag", 1},
		"in a document type":  {"<!DOCTYPE a [", "inside of a tag", 0},
		"a section misspelt":  {"<testsuite><![CDATUM[]]></testsuite>", "neither a comment nor a CDATA section", 0},
		"a slash in a tag":    {"<testsuite / ></testsuite>", "a / inside of the tag", 0},
		"an equals sign":      {"<testsuite =a></testsuite>", "goes on with", 0},
		"an end with more":    {"<testsuite></testsuite a>", "goes on with", 0},
		"a long name":         {"<testsuite><" + strings.Repeat("a", 5000) + "/></testsuite>", "a name of more than", 0},
		"deep in what is not": {"<testsuite><testcase name='a'/><x>" + strings.Repeat("<y>", 100_000), "elements nest deeper", 1},
		"entities in a part":  {"<!DOCTYPE a [ <!-- <!ENTITY --> <!eNtItY b \"c\"> ]><testsuite/>", "defines entities", 0},
		"a bomb": {`<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>` +
			`<testsuite><testcase name="&lol1;"/></testsuite>`, "defines entities", 0},
	}
	for what, tt := range tests {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			got, err := result.ParseJUnit(strings.NewReader(tt.in), result.Limits{})
			var malformed *result.MalformedError
			if !errors.As(err, &malformed) || !strings.Contains(err.Error(), tt.fault) || len(got) != tt.tests {
				t.Errorf("got %d tests and %v, want %d and %s", len(got), err, tt.tests, tt.fault)
			}
		})
	}
	if got, err := result.ParseJUnit(strings.NewReader(`<!DOCTYPE a SYSTEM "ENTITY.dtd" [ <!-- <!ENTITY --> <!ELEMENT a ANY> ]><testsuite><testcase name="a"/></testsuite>`), result.Limits{}); err != nil || len(got) != 1 {
		t.Errorf("a document type without entities: %v, %v", got, err)
	}
}

// repeated reads as one text, then another so many times, then an end.
func repeated(begin, part string, n int, end string) io.Reader {
	const block = 1000
	parts := []io.Reader{strings.NewReader(begin)}
	long := strings.Repeat(part, block)
	for range n / block {
		parts = append(parts, strings.NewReader(long))
	}
	return io.MultiReader(append(parts, strings.NewReader(end))...)
}

// Whatever a file is full of, what it takes of memory is bounded: it is not
// run beside other tests, for it counts what is allocated.
func TestMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("reads hundreds of megabytes")
	}
	tests := map[string]struct {
		in    io.Reader
		tests int
		fault string
	}{
		"a million attributes":  {repeated("<testsuite><testcase name='a' ", "attribute='value' ", 1_000_000, "/></testsuite>"), 1, ""},
		"a long message":        {repeated("<testsuite><testcase name='a'><failure message='", "line after line &amp;\n", 800_000, "'/></testcase></testsuite>"), 1, ""},
		"a long output":         {repeated("<testsuite><testcase name='a'><system-out>", "line after line &lt;\r\n", 800_000, "</system-out></testcase></testsuite>"), 1, ""},
		"a long section":        {repeated("<testsuite><testcase name='a'><system-err><![CDATA[", "]] line after line\n", 800_000, "]]></system-err></testcase></testsuite>"), 1, ""},
		"a million properties":  {repeated("<testsuite><testcase name='a'><properties>", "<property name='p' value='1'/>", 1_000_000, "</properties></testcase></testsuite>"), 1, ""},
		"a million skips":       {repeated("<testsuite>", "<testcase name='a'><skipped/></testcase>", 1_000_000, "</testsuite>"), 0, ""},
		"a long comment":        {repeated("<testsuite><testcase name='a'/><!--", "- -> -", 2_000_000, "--></testsuite>"), 1, ""},
		"a long tag":            {repeated("<testsuite><testcase name='a'/><", "0123456789", 1_000_000, "/></testsuite>"), 1, "a name of more than"},
		"more than is allowed":  {repeated("<testsuite><testcase name='a'/>", "0123456789", 11_000_000, "</testsuite>"), 1, "larger than 100000000 bytes"},
		"nothing but the space": {repeated("", "          ", 3_000_000, ""), 0, "no testsuites"},
	}
	for what, tt := range tests {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := result.ParseJUnit(tt.in, result.Limits{})
		runtime.ReadMemStats(&after)
		if len(got) != tt.tests || (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%s: %d tests, %v", what, len(got), err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
			t.Errorf("%s: %d kB allocated", what, used>>10)
		}
		for _, test := range got {
			if len(test.Message) > 10_100 || !utf8.ValidString(test.Message) || len(test.Properties) > 1000 {
				t.Errorf("%s: a message of %d bytes, %d properties", what, len(test.Message), len(test.Properties))
			}
		}
	}
}

func TestPropertiesAndOutput(t *testing.T) {
	t.Parallel()
	in := `<testsuite><testcase name="a"><properties><property name="p" value="1"/><property name="p" value=" 4 "/><property name="p" value="text"/>
		<property name="huge" value="1e308"/><property name="huge" value="1e308"/><property name="not" value="NaN"/><property value="5"/></properties>
		<system-out>` + strings.Repeat("0123456789", 500) + `</system-out></testcase>
		<testcase name="b"><system-out>` + strings.Repeat("0123456789", 500) + `</system-out><failure/></testcase></testsuite>`
	got, err := result.ParseJUnit(strings.NewReader(in), result.Limits{})
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	a, b := got[0], got[1]
	if a.Metrics["p"] != 2.5 || a.Metrics["huge"] != 1e308 || len(a.Metrics) != 2 {
		t.Errorf("metrics %v", a.Metrics)
	}
	if a.Properties["p"] != "1" || a.Properties["not"] != "NaN" || len(a.Properties) != 3 {
		t.Errorf("properties %v", a.Properties)
	}
	if len(a.Message) > 1100 || len(b.Message) != 5000 {
		t.Errorf("%d bytes of what a passing test printed, %d of what a failing one did", len(a.Message), len(b.Message))
	}
}
