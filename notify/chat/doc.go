// Package chat posts messages to a channel of a chat and edits them, over the
// API of Slack (https://api.slack.com/methods/chat.postMessage and
// chat.update), which other chats understand, too.
//
//	room, err := chat.New(chat.Options{Token: token})
//	id, err := room.Post(ctx, "#releases", "*Cut v1.2.0*: running")
//	err = room.Edit(ctx, id, "*Cut v1.2.0*: succeeded")
package chat
