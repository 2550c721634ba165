// Package scan finds out what software consists of.
package scan
