package app

import "context"

// Idle waits until the embedded forge has delivered every webhook.
func (a *App) Idle(ctx context.Context) error { return a.embedded.Idle(ctx) }
