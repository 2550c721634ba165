package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Codes of errors, from the distribution specification.
const (
	codeBlobUnknown         = "BLOB_UNKNOWN"
	codeBlobUploadInvalid   = "BLOB_UPLOAD_INVALID"
	codeBlobUploadUnknown   = "BLOB_UPLOAD_UNKNOWN"
	codeDigestInvalid       = "DIGEST_INVALID"
	codeManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN"
	codeManifestInvalid     = "MANIFEST_INVALID"
	codeManifestUnknown     = "MANIFEST_UNKNOWN"
	codeNameInvalid         = "NAME_INVALID"
	codeNameUnknown         = "NAME_UNKNOWN"
	codeSizeInvalid         = "SIZE_INVALID"
	codeTagInvalid          = "TAG_INVALID"
	codePaginationInvalid   = "PAGINATION_NUMBER_INVALID"
	codeUnauthorized        = "UNAUTHORIZED"
	codeDenied              = "DENIED"
	codeUnsupported         = "UNSUPPORTED"
	codeUnknown             = "UNKNOWN"
)

// problem is an answer other than success. Its message is for the person at
// the client, so it never holds what the client must not know.
type problem struct {
	status  int
	code    string
	message string
	detail  any
}

// Error implements error.
func (p *problem) Error() string { return p.code + ": " + p.message }

func refuse(status int, code, format string, args ...any) *problem {
	return &problem{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// wireErrors is the body of an error.
type wireErrors struct {
	Errors []wireError `json:"errors"`
}

type wireError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Detail  any    `json:"detail,omitempty"`
}

// fail answers with an error. What is not a problem of the client is logged,
// and the client learns no more than that.
func (c *call) fail(err error) {
	var p *problem
	if !errors.As(err, &p) {
		if c.r.Context().Err() == nil {
			c.g.log.Error("registry request failed", "method", c.r.Method, "path", c.r.URL.Path, "error", err)
		}
		p = refuse(http.StatusInternalServerError, codeUnknown, "the registry failed; try again, and look at its log if that does not help")
	}
	if p.status == http.StatusUnauthorized {
		c.challenge()
	}
	h := c.w.Header()
	h.Del("Content-Length")
	h.Del("ETag")
	c.json(p.status, wireErrors{[]wireError{{p.code, p.message, p.detail}}})
}

// json answers with a value.
func (c *call) json(status int, v any) {
	c.jsonAs(status, "application/json", v)
}

func (c *call) jsonAs(status int, mediaType string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		c.g.log.Error("registry answer cannot be written", "path", c.r.URL.Path, "error", err)
		c.w.WriteHeader(http.StatusInternalServerError)
		return
	}
	c.w.Header().Set("Content-Type", mediaType)
	c.w.WriteHeader(status)
	if _, err := c.w.Write(body); err != nil {
		c.g.log.Debug("registry answer cut short", "path", c.r.URL.Path, "error", err)
	}
}
