// Package transfer moves images and files by digest, as a promotion plan says.
package transfer
