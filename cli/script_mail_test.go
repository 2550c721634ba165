package cli

import (
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"seaworthy/notify/mailtest"
)

// scriptTest is a script as the mail server knows tests.
type scriptTest struct{ ts *testscript.TestScript }

func (t scriptTest) Helper()           {}
func (t scriptTest) Fatal(args ...any) { t.ts.Fatalf("%s", fmt.Sprint(args...)) }
func (t scriptTest) Cleanup(f func())  { t.ts.Defer(f) }

// mail start runs a mail server for the rest of the script and sets $SMTP to its
// address. mail has WORDS… wants one mail that holds each of the words; mail none
// wants no mail.
func scriptMail(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	sink := w.mail
	switch {
	case !neg && len(args) == 1 && args[0] == "start" && sink == nil:
		w.mail = mailtest.New(scriptTest{ts}, mailtest.Options{})
		ts.Setenv("SMTP", "smtp://"+w.mail.Addr+"?tls=none")
	case !neg && len(args) == 1 && args[0] == "none" && sink != nil:
		if all := sink.Messages(); len(all) > 0 {
			ts.Fatalf("there are %d mails", len(all))
		}
	case !neg && len(args) > 1 && args[0] == "has" && sink != nil:
		all := sink.Messages()
		if len(all) != 1 {
			ts.Fatalf("there are %d mails, not one", len(all))
		}
		for _, word := range args[1:] {
			if !strings.Contains(all[0].Data, word) {
				ts.Fatalf("the mail does not hold %q:\n%s", word, all[0].Data)
			}
		}
	default:
		ts.Fatalf("usage: mail start | mail has WORDS… | mail none")
	}
}
