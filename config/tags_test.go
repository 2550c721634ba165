package config_test

import (
	"strings"
	"testing"

	"seaworthy/config"
)

func TestTags(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                       "",
		"sign: none":                             "",
		"sign: ssh":                              "",
		"key: env://SEAWORTHY_HALYARD_KEY":       "",
		"sign: gpg\n    key: /etc/seaworthy/key": "",
		"sign: x509":                             "x509",
		"key: env://HOME":                        "begins with SEAWORTHY_",
		"key: env://AWS_SECRET_ACCESS_KEY":       "begins with SEAWORTHY_",
		"key: keys/release":                      "never in the repository",
		"sign: none\n    key: /etc/key":          "remove one of them",
	} {
		p, err := config.Parse("seaworthy.yaml", []byte("version: 1\nproject: {name: halyard}\nrelease:\n  tags:\n    "+text+"\n"))
		if text == "" {
			p, err = config.Parse("seaworthy.yaml", []byte("version: 1\nproject: {name: halyard}\n"))
			if p.Release.Tags.Sign != "auto" {
				t.Errorf("by default tags are signed %q", p.Release.Tags.Sign)
			}
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
