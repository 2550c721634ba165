// Package image makes container images without a daemon.
package image
