// Package picture draws a grid as an image, for places that show pictures and
// no pages: an issue, a mail, a chat. It does no I/O and reads no clock.
//
//	image, err := picture.Draw(g, grid.Options{}, now, picture.Look{Title: "halyard-blocking / unit", Scale: 2})
//	if err == nil {
//		err = png.Encode(w, image)
//	}
//
// On top stand the title, the status and TestGrid's sentence; then a column for
// each of the newest builds and a row for each test that matters most: what
// fails first. Colour is never alone: a cell that did not pass carries a letter.
package picture
