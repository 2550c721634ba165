package flow_test

import (
	"testing"

	"seaworthy/flow"
	"seaworthy/flow/flowtest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	flowtest.Journal(t, func(*testing.T) flow.Journal { return &flow.Memory{} })
}
