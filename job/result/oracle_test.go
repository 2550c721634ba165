package result_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"seaworthy/job/result"
)

// The oracle reads JUnit by the rules of result.ParseJUnit, with encoding/xml:
// strictly, slowly, and with the whole document in memory.

type oracleNode struct {
	name     string
	attrs    map[string]string
	text     string // of it and all in it
	children []*oracleNode
}

// oracleTree reads a document; ok is false if encoding/xml does not accept it.
func oracleTree(data []byte) (roots []*oracleNode, ok bool) {
	dec := xml.NewDecoder(bytes.NewReader(data))
	dec.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("not UTF-8") }
	var open []*oracleNode
	for {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return roots, len(open) == 0
		}
		if err != nil {
			return nil, false
		}
		switch t := t.(type) {
		case xml.StartElement:
			n := &oracleNode{name: t.Name.Local, attrs: map[string]string{}}
			for _, a := range t.Attr {
				if _, seen := n.attrs[a.Name.Local]; !seen {
					n.attrs[a.Name.Local] = a.Value
				}
			}
			if len(open) == 0 {
				roots = append(roots, n)
			} else {
				parent := open[len(open)-1]
				parent.children = append(parent.children, n)
			}
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			for _, n := range open {
				n.text += string(t)
			}
		}
	}
}

func oracle(data []byte) (tests []result.TestResult, ok bool) {
	roots, ok := oracleTree(data)
	if !ok || len(roots) == 0 || roots[0].name != "testsuites" && roots[0].name != "testsuite" {
		return nil, false
	}
	for _, n := range roots {
		tests = append(tests, oracleSuite(n, "")...)
	}
	return tests, true
}

func oracleSuite(n *oracleNode, prefix string) (tests []result.TestResult) {
	switch n.name {
	case "testsuites":
	case "testsuite":
		if n.attrs["name"] != "" {
			prefix += n.attrs["name"] + "."
		}
	case "testcase":
		if t, ok := oracleTest(n, prefix); ok {
			return []result.TestResult{t}
		}
		return nil
	default:
		return nil
	}
	for _, c := range n.children {
		tests = append(tests, oracleSuite(c, prefix)...)
	}
	return tests
}

func oracleTest(n *oracleNode, prefix string) (t result.TestResult, ok bool) {
	t = result.TestResult{Name: prefix + n.attrs["name"], Status: result.Pass}
	if n.attrs["name"] == "" {
		t.Name = strings.TrimSuffix(prefix, ".")
	}
	if f, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(n.attrs["time"]), ",", ""), 64); err == nil && f >= 0 && f <= 1e9 {
		t.Duration = time.Duration(f * float64(time.Second))
	}
	first := map[string]*oracleNode{}
	values := map[string][]float64{}
	oracleInside(n, &t, first, values)
	for name, vs := range values {
		sum := 0.0
		for _, v := range vs {
			sum += v / float64(len(vs))
		}
		if t.Metrics == nil {
			t.Metrics = map[string]float64{}
		}
		t.Metrics[name] = sum
	}
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	switch skipped := first["skipped"]; {
	case first["error"] != nil || first["failure"] != nil:
		t.Status = result.Fail
	case skipped != nil:
		t.Status = result.Skip
		if m := strings.TrimSpace(skipped.attrs["message"]); blank(skipped.text) && (m == "" || m == "skipped") {
			return t, false
		}
	}
	for _, name := range []string{"error", "failure", "skipped", "system-err", "system-out"} {
		d := first[name]
		if d == nil || blank(d.text) && blank(d.attrs["message"]) {
			continue
		}
		t.Message = d.text
		if line, _, _ := strings.Cut(d.attrs["message"], "\n"); blank(d.text) {
			t.Message = d.attrs["message"]
		} else if !blank(d.attrs["message"]) && line != "" && !strings.Contains(d.text, line) {
			t.Message = d.attrs["message"] + "\n" + d.text
		}
		t.Message = strings.TrimSpace(t.Message)
		break
	}
	return t, true
}

// oracleInside collects the elements and properties of a test.
func oracleInside(n *oracleNode, t *result.TestResult, first map[string]*oracleNode, values map[string][]float64) {
	for _, c := range n.children {
		switch c.name {
		case "properties":
			oracleInside(c, t, first, values)
		case "property":
			name, named := c.attrs["name"]
			value, given := c.attrs["value"]
			if !given {
				value = c.text
			}
			if value = strings.TrimSpace(value); !named {
				continue
			}
			if t.Properties == nil {
				t.Properties = map[string]string{}
			}
			if _, seen := t.Properties[name]; !seen {
				t.Properties[name] = value
			}
			if v, err := strconv.ParseFloat(value, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
				values[name] = append(values[name], v)
			}
		default:
			if first[c.name] == nil {
				first[c.name] = c
			}
		}
	}
}

// generous limits, for the oracle knows none.
var generous = result.Limits{Message: 1 << 20, Output: 1 << 20, Depth: 900}

// encoding/xml takes the first byte of a directive for what it is not.
var oddDirective = regexp.MustCompile(`<!["'<>]`)

func compareWithOracle(t *testing.T, data []byte) {
	t.Helper()
	want, ok := oracle(data)
	if !ok || oddDirective.Match(data) {
		return
	}
	got, err := result.ParseJUnit(bytes.NewReader(data), generous)
	if err != nil {
		if strings.Contains(err.Error(), "defines entities") || strings.Contains(err.Error(), "nest deeper") || strings.Contains(err.Error(), "name of more") {
			return
		}
		t.Fatalf("encoding/xml accepts it: %v\n%q", err, data)
	}
	close := cmpopts.EquateApprox(1e-9, 1e-300)
	if diff := cmp.Diff(want, got, close, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%q\n%s", data, diff)
	}
}

var documents = []string{
	junit,
	`<testsuites><testsuite name="a"><testcase name="b"><properties><property name="p" value="1"/><property name="p" value="2"/></properties><skipped/></testcase></testsuite></testsuites>`,
	`<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE testsuite [<!ELEMENT a (b)> <!-- > --> <?pi > ?>]><testsuite name='s"'><!-- <testcase> - --><testcase name="a&#x41;&#10;&amp;amp;" time="1.25"/></testsuite>`,
	"<testsuite><testcase name=\"a\r\nb\rc&#13;&#10;\"><failure message='m'>x\r\n\r<![CDATA[]]]><b>&amp;y</b><i>z</i><![CDATA[x]]y]>z\r]]>\n</failure></testcase></testsuite>\r\n",
	`<x:testsuite xmlns:x="u"><x:testcase x:name="a" name="b"><system-out>o</system-out><x:failure/></x:testcase></x:testsuite>`,
	`<testsuite><testsuites><testcase name="a"><testcase name="b"/><skipped message=" skipped "/></testcase></testsuites></testsuite><testsuite/>`,
	`<testsuite><testcase name="a"><skipped>skipped</skipped></testcase><testcase><error/><error>second</error><system-err>e</system-err></testcase></testsuite>`,
	`<testsuite name="n"><testcase/><testcase name="é ü � 𝄞"><property name="x">3.5</property><property>no</property></testcase></testsuite>`,
}

func TestParseJUnitAgreesWithEncodingXML(t *testing.T) {
	t.Parallel()
	for _, d := range documents {
		if _, ok := oracle([]byte(d)); !ok {
			t.Errorf("encoding/xml does not accept %q", d)
		}
		compareWithOracle(t, []byte(d))
		// Cut off anywhere: never more than the whole has, and always a fault.
		whole, _ := result.ParseJUnit(strings.NewReader(d), generous)
		for n := range len(d) {
			tests, err := result.ParseJUnit(strings.NewReader(d[:n]), generous)
			if len(tests) > len(whole) {
				t.Errorf("%q: %d tests of %d", d[:n], len(tests), len(whole))
			}
			if _, accepted := oracle([]byte(d[:n])); err == nil && !accepted {
				t.Errorf("%q: cut off, and accepted", d[:n])
			}
		}
	}
}

func FuzzParseJUnitAgreesWithEncodingXML(f *testing.F) {
	for _, d := range documents {
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, data []byte) { compareWithOracle(t, data) })
}
