package result

// Pod is how the pod of a build fared, as podinfo.json tells it.
type Pod struct {
	// Phase is the pod's, in Kubernetes' words: Succeeded, Failed, Running.
	Phase string
	// Passed is false when the pod itself failed, not the test in it: it was
	// not scheduled, could not begin, or the results could not be stored.
	Passed bool
	// Message says why it failed, or what is unusual about it.
	Message string
	// Decorated is false when no sidecar stored the results.
	Decorated bool
}
