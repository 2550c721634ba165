// Package sbom models bills of materials.
package sbom
