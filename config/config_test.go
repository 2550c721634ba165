package config_test

import (
	"testing"

	"seaworthy/config"
)

func TestDefault(t *testing.T) {
	t.Parallel()
	p, err := config.Default(config.Detected{Module: "example.org/harbour/halyard/v2"})
	if err != nil {
		t.Fatal(err)
	}
	c, problems := p.JobConfig("harbour/halyard", nil)
	if len(problems) > 0 || len(c.Presubmits["harbour/halyard"]) != 2 || len(c.Postsubmits["harbour/halyard"]) != 1 {
		t.Errorf("jobs: got %v, problems %v", c.All(), problems)
	}
}
