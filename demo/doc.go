// Package demo tells the story that seaworthy demo shows: a sample project
// travels from its first commit to a verified release on the embedded forge.
//
// Nothing in it is staged: the people of the story use the forge through its
// API and plain git like anybody else, and every step ends with a look at what
// the platform really did. The sample project and the changes people propose
// are the txtar files in the folder story.
//
//	story := demo.NewStory(demo.Titles(), time.Now, redraw)
//	err := demo.Tell(ctx, platform, story, dir)
package demo
