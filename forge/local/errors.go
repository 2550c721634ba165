package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"seaworthy/git"
	"seaworthy/store/hosted"
)

const documentationURL = "https://docs.github.com/rest"

// apiError is an answer that says no, in GitHub's form:
// https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api
type apiError struct {
	status  int
	message string
	fields  []fieldError
	texts   []string // in place of fields, where GitHub answers so
}

// refuse is a 422 that says why in a sentence.
func refuse(why string) error {
	return &apiError{status: http.StatusUnprocessableEntity, message: "Unprocessable Entity", texts: []string{why}}
}

// fieldError says what is wrong with one field of a request.
type fieldError struct {
	Resource string `json:"resource"`
	Field    string `json:"field,omitempty"`
	Code     string `json:"code"` // missing, missing_field, invalid, already_exists, custom
	Message  string `json:"message,omitempty"`
	Value    string `json:"value,omitempty"`
}

// Error implements error.
func (e *apiError) Error() string {
	msg := strconv.Itoa(e.status) + " " + e.message
	for _, s := range e.texts {
		msg += "; " + s
	}
	for _, f := range e.fields {
		msg += fmt.Sprintf("; %s %s: %s %s", f.Resource, f.Field, f.Code, f.Message)
	}
	return msg
}

func fail(status int, format string, args ...any) error {
	return &apiError{status: status, message: fmt.Sprintf(format, args...)}
}

func notFound() error { return fail(http.StatusNotFound, "Not Found") }

// invalid is a 422 about one field.
func invalid(resource, field, code, message string) error {
	return &apiError{status: http.StatusUnprocessableEntity, message: "Validation Failed", fields: []fieldError{{Resource: resource, Field: field, Code: code, Message: message}}}
}

func missing(resource, field string) error { return invalid(resource, field, "missing_field", "") }

func exists(resource, field string) error { return invalid(resource, field, "already_exists", "") }

// orExists turns "exists already" into a 422 about a field.
func orExists(err error, resource, field string) error {
	if errors.Is(err, hosted.ErrExists) {
		return exists(resource, field)
	}
	return err
}

// orMissing turns "not found" into a 422 about a field: what a request refers
// to, unlike what it addresses, is part of its content.
func orMissing(err error, resource, field, message string) error {
	if errors.Is(err, hosted.ErrNotFound) || errors.Is(err, git.ErrNotFound) {
		return invalid(resource, field, "invalid", message)
	}
	return err
}

// writeError answers with an error. What is not the caller's business is
// logged and answered as 500.
func (c *call) writeError(err error) {
	var ae *apiError
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &ae):
	case errors.Is(err, hosted.ErrNotFound), errors.Is(err, git.ErrNotFound):
		ae = &apiError{status: http.StatusNotFound, message: "Not Found"}
	case errors.As(err, &tooBig):
		ae = &apiError{status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("The body is larger than %d bytes", tooBig.Limit)}
	case c.r.Context().Err() != nil:
		ae = &apiError{status: http.StatusServiceUnavailable, message: "The request was given up"}
	default:
		c.f.log.Error("request failed", "method", c.r.Method, "path", c.r.URL.Path, "error", err)
		ae = &apiError{status: http.StatusInternalServerError, message: "Server Error"}
	}
	body := struct {
		Message          string `json:"message"`
		Errors           any    `json:"errors,omitempty"`
		DocumentationURL string `json:"documentation_url"`
		Status           string `json:"status"`
	}{Message: ae.message, DocumentationURL: documentationURL, Status: strconv.Itoa(ae.status)}
	switch {
	case len(ae.texts) > 0:
		body.Errors = ae.texts
	case len(ae.fields) > 0:
		body.Errors = ae.fields
	}
	b, err := json.Marshal(body)
	if err != nil {
		c.f.log.Error("encoding an error", "error", err)
	}
	if ae.status == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", `Basic realm="Seaworthy"`)
	}
	c.w.Header().Set("Content-Type", jsonType)
	c.w.WriteHeader(ae.status)
	c.write(b)
}
