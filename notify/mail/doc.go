// Package mail hands complete messages to a mail server, over SMTP (RFC 5321).
//
//	server, err := mail.Parse("smtp://releases@mail.example.org:587")
//	server.Password = password
//	err = server.Send(ctx, "releases@example.org", []string{"users@example.org"}, message)
//
// A connection is encrypted with STARTTLS, or from its beginning where the
// address is smtps://. Only with smtp://…?tls=none nothing is, for a server on
// this machine; a password never goes over such a connection.
package mail
