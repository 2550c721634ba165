package app

import (
	"context"
	"testing"
)

// Idle waits until the embedded forge has delivered every webhook.
func (a *App) Idle(ctx context.Context) error { return a.embedded.Idle(ctx) }

// Owner is the name under which this platform holds work.
func (a *App) Owner(t testing.TB) string {
	t.Helper()
	name, err := a.owner()
	if err != nil {
		t.Fatal(err)
	}
	return name
}
