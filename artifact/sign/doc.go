// Package sign makes and verifies signatures and attestations.
package sign
