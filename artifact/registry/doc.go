// Package registry is the embedded container registry.
package registry
