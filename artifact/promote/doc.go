// Package promote reads promotion manifests and plans what they ask for.
package promote
