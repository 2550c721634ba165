// Package provenance reads, writes and checks statements of how artifacts were made.
package provenance
