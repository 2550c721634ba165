// Package alert decides who is told of what breaks, and of what works again.
// It sends nothing and reads no clock.
//
// Next is asked again and again with what the tabs of a project say now. It
// compares that with what was told before and writes the messages that are due:
//
//	state, due := alert.Next(state, tabs, rules, now)
//	// store the state, which holds what is due, then send it
//
// The same failure on several tabs is one trouble. Each trouble is told of once
// to each place (an address, a channel, an issue) when it begins and once when
// it ends, and again after a while if a tab asks for that. In quiet hours
// nothing is lost: what has begun meanwhile is told afterwards, together, and
// what has begun and ended meanwhile as one line.
package alert
