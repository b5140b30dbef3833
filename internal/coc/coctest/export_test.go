package coctest

import "net/http"

// What the tests reach beside the socket: the published signature vector is a
// request to another service, and the fuzz target needs no HTTP.

// VerifySignature recomputes the signature of r and returns the hash of its
// canonical form.
func VerifySignature(r *http.Request, body []byte, secret string) (canonicalHash string, err error) {
	auth, err := parseAuthorization(r)
	if err != nil {
		return "", err
	}
	canonical, err := canonicalRequest(r, auth.signed, body)
	if err != nil {
		return "", err
	}
	return hexSHA256([]byte(canonical)), auth.verify(r, body, secret)
}

// ValidateAlarm is the validator behind the event endpoint.
func ValidateAlarm(body []byte, sw Switches) (Alarm, string) { return validateAlarm(body, sw) }
