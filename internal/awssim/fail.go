package awssim

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
)

// apiError is a refusal in AWS's words.
type apiError struct {
	status  int
	code    string
	message string
	members map[string]any // further members of a JSON body
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func invalidParameter(format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "InvalidParameterException", message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "ResourceNotFoundException", message: fmt.Sprintf(format, args...)}
}

// violation words a broken constraint of a member the way the services do
// before an operation sees the request.
func violation(value any, member, constraint string) *apiError {
	return invalidParameter("1 validation error detected: Value '%v' at '%s' failed to satisfy constraint: %s", value, member, constraint)
}

// protocol is how a service speaks.
type protocol uint8

const (
	awsJSON  protocol = iota // CloudWatch Logs
	restJSON                 // EKS, Account Management
	awsQuery                 // STS
)

func (p protocol) writeError(w http.ResponseWriter, requestID string, e *apiError) {
	if p == awsQuery {
		writeXML(w, requestID, e.status, xmlError{
			Namespace: stsNamespace, Type: "Sender", Code: e.code, Message: e.message, RequestID: requestID,
		})
		return
	}
	body := map[string]any{"message": e.message}
	maps.Copy(body, e.members)
	if p == awsJSON {
		body["__type"] = e.code
	} else {
		w.Header().Set("X-Amzn-ErrorType", e.code)
	}
	p.writeJSON(w, requestID, e.status, body)
}

func (p protocol) writeJSON(w http.ResponseWriter, requestID string, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		data, status = []byte(`{"__type":"InternalFailure"}`), http.StatusInternalServerError
	}
	contentType := "application/x-amz-json-1.1"
	if p == restJSON {
		contentType = "application/json"
	}
	write(w, requestID, contentType, status, data)
}

func write(w http.ResponseWriter, requestID, contentType string, status int, data []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Amzn-Requestid", requestID)
	w.WriteHeader(status)
	// A caller that has gone needs no answer.
	_, _ = w.Write(data)
}

type xmlError struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

func writeXML(w http.ResponseWriter, requestID string, status int, body any) {
	data, err := xml.Marshal(body)
	if err != nil {
		data, status = nil, http.StatusInternalServerError
	}
	write(w, requestID, "text/xml", status, data)
}
