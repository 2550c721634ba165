package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gocloud.dev/gcerrors"
)

// fault is why a bucket cannot be used.
type fault struct {
	says  string
	code  gcerrors.ErrorCode
	cause error
}

// Error implements error.
func (f *fault) Error() string { return f.says }

// Unwrap returns what the service's client said.
func (f *fault) Unwrap() error { return f.cause }

// kind is what a fault is about.
type kind int

const (
	other kind = iota
	noKey
	wrongKey
	forbidden
	noBucket
	elsewhere
	busy
	unreachable
)

// service is what people are told of one make of buckets.
type service struct {
	bucket string // what it calls a bucket
	keys   string // where credentials come from
	place  string // what may be wrong besides the name
	// fragile says that its driver must be handed whole objects, see cloudWriter.
	fragile bool
}

// services are those that OpenBucket knows, by scheme.
func services() map[string]*service {
	return map[string]*service{
		"s3": {bucket: "bucket", place: ", its region (?region=…) or its endpoint (?endpoint=…)",
			keys: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; or add ?anonymous=true if everybody may read it"},
		"gs": {bucket: "bucket", keys: "set GOOGLE_APPLICATION_CREDENTIALS, or log in with gcloud auth application-default login"},
		"azblob": {bucket: "container", fragile: true, place: " or the account (AZURE_STORAGE_ACCOUNT)",
			keys: "set AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING"},
	}
}

// answer is what a service said when it refused something.
type answer struct {
	status int
	code   string // its own word, empty if it has none
	text   string
}

// What the clients say that have no method to ask. Google's says
// "googleapi: Error 403: …", Azure's "RESPONSE 403: 403 …" and "ERROR CODE: …"
// on lines of their own.
var (
	statusInText = regexp.MustCompile(`googleapi: (?:Error|got HTTP response code) (\d{3})|RESPONSE (\d{3}):`)
	codeInText   = regexp.MustCompile(`ERROR CODE: (\w+)`)
)

// answerOf finds out what a service said, from the error of its client.
func answerOf(err error) answer {
	a := answer{text: err.Error()}
	var coded interface{ ErrorCode() string } // of Amazon's
	if errors.As(err, &coded) {
		a.code = coded.ErrorCode()
	}
	var status interface{ HTTPStatusCode() int } // of Amazon's
	var code interface{ HTTPCode() int }         // of Google's
	if errors.As(err, &status) {
		a.status = status.HTTPStatusCode()
	} else if errors.As(err, &code) {
		a.status = max(code.HTTPCode(), 0)
	}
	if m := statusInText.FindStringSubmatch(a.text); m != nil && a.status == 0 {
		a.status, _ = strconv.Atoi(m[1] + m[2]) // three digits
	}
	if m := codeInText.FindStringSubmatch(a.text); m != nil && a.code == "" {
		a.code = m[1]
	}
	return a
}

// Words that services have for what is wrong.
func wordsOf(k kind) []string {
	return map[kind][]string{
		wrongKey: {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired", "ExpiredTokenException",
			"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation", "RequestTimeTooSkewed"},
		forbidden: {"AccessDenied", "Forbidden", "AllAccessDisabled", "AccountProblem", "AuthorizationFailure", "AuthorizationPermissionMismatch", "PublicAccessNotPermitted",
			"InsufficientAccountPermissions"},
		noBucket:  {"NoSuchBucket", "InvalidBucketName", "ContainerNotFound", "ContainerBeingDeleted", "InvalidResourceName"},
		elsewhere: {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"},
		busy: {"SlowDown", "ServiceUnavailable", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "TooManyRequestsException",
			"ServerBusy", "OperationTimedOut", "EC2ThrottledException", "BandwidthLimitExceeded"},
	}[k]
}

// What clients say where no answer came, or none with a code.
func phrasesOf(k kind) []string {
	return map[kind][]string{
		noKey: {"failed to refresh cached credentials", "get credentials", "failed to retrieve credentials", "DefaultAzureCredential: failed", "could not find default credentials",
			"cannot fetch token"},
		noBucket:  {"bucket doesn't exist", "specified bucket does not exist", "specified container does not exist"},
		elsewhere: {"Missing Region", "must be addressed using the specified endpoint"},
	}[k]
}

// means tells what an answer is about.
func (s *service) means(a answer) kind {
	for _, k := range []kind{wrongKey, forbidden, noBucket, elsewhere, busy} {
		if a.code != "" && slices.Contains(wordsOf(k), a.code) {
			return k
		}
	}
	for _, k := range []kind{noKey, noBucket, elsewhere} {
		if slices.ContainsFunc(phrasesOf(k), func(p string) bool { return strings.Contains(a.text, p) }) {
			return k
		}
	}
	switch a.status {
	case http.StatusUnauthorized:
		return wrongKey
	case http.StatusForbidden:
		return forbidden
	case http.StatusMovedPermanently:
		return elsewhere
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return busy
	}
	return other
}

// explain turns what a client says into what is wrong and what to do. What is no
// fault of the bucket's (an object is not there, whoever asked has gone) stays
// as it is.
func (c *cloud) explain(err error) error {
	var f *fault
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.As(err, &f), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	a := answerOf(err)
	k := c.service.means(a)
	var network *net.OpError
	var name *net.DNSError
	if k == other && a.status == 0 && (errors.As(err, &network) || errors.As(err, &name)) {
		k = unreachable
	}
	if k == other {
		return err
	}
	return c.fault(k, a, err)
}

func (c *cloud) fault(k kind, a answer, err error) error {
	s := c.service
	f := &fault{cause: bare(err)}
	said := a.code
	if said == "" && a.status != 0 {
		said = strconv.Itoa(a.status)
	}
	if said != "" {
		said = " (" + said + ")"
	}
	switch k {
	case noKey:
		f.code, f.says = gcerrors.PermissionDenied, fmt.Sprintf("%s: no credentials were found: %s", c.address, s.keys)
	case wrongKey:
		f.code, f.says = gcerrors.PermissionDenied, fmt.Sprintf("%s does not accept the credentials%s: %s; and look at the clock of this machine", c.address, said, s.keys)
	case forbidden:
		f.code, f.says = gcerrors.PermissionDenied, fmt.Sprintf("%s forbids this to the credentials in use%s: give them the right to list and to read, and to write and delete where something is kept there; "+
			"or use others: %s", c.address, said, s.keys)
	case noBucket:
		f.code, f.says = gcerrors.InvalidArgument, fmt.Sprintf("there is no %s %s%s: make it, or correct its name%s", s.bucket, c.address, said, s.place)
	case elsewhere:
		f.code, f.says = gcerrors.InvalidArgument, fmt.Sprintf("%s is in another region than the one asked%s: set AWS_REGION, or add ?region=…", c.address, said)
	case busy:
		f.code, f.says = gcerrors.ResourceExhausted, fmt.Sprintf("%s is too busy to answer, after several attempts%s: try again in some minutes", c.address, said)
	default:
		f.code, f.says = gcerrors.Unknown, fmt.Sprintf("%s cannot be reached (%v): look whether its address is right and the network works", c.address, reason(err))
	}
	return f
}

// reason is the end of a chain of errors: what the network said.
func reason(err error) error {
	var n *net.OpError
	if errors.As(err, &n) {
		return n
	}
	var d *net.DNSError
	if errors.As(err, &d) {
		return d
	}
	return err
}

// bare takes off what the blob package says around an error: its code would
// hide that of the fault.
func bare(err error) error {
	for gcerrors.Code(err) != gcerrors.Unknown {
		inner := errors.Unwrap(err)
		if inner == nil {
			return errors.New(err.Error())
		}
		err = inner
	}
	return err
}
