package coc

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// clockTolerance is how far Date in a 401 may be from our time before the time
// is taken for the reason. COC itself accepts 15 minutes (coc-api.md 2.2.5).
const clockTolerance = time.Minute

// clock is the local clock and what COC's answers have taught about its error.
// It is safe for concurrent use.
type clock struct {
	now    func() time.Time
	offset atomic.Int64 // nanoseconds to add to now
}

// correction is what to add to now when signing.
func (c *clock) correction() time.Duration { return time.Duration(c.offset.Load()) }

// learn looks at the answer to a request that was signed with the correction
// used; one that is not signed has no time in it. If the time may be why it was refused, it keeps the correction that
// Date asks for, and says that the request is worth one repeat with it. The
// comparison is with used, not with the present correction: of several calls
// refused at once each must be repeated, whichever learns first.
func (c *clock) learn(a answer, used time.Duration) (correction time.Duration, again bool) {
	if a.status != http.StatusUnauthorized || a.request.Header.Get(headerDate) == "" {
		return 0, false
	}
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return 0, false
	}
	correction = date.Sub(a.now)
	if !complainsOfTime(a.body) && (correction-used).Abs() <= clockTolerance {
		return 0, false
	}
	c.offset.Store(int64(correction))
	return correction, true
}

// complainsOfTime recognises APIGW.0303 and texts that name x-sdk-date (coc-api.md 1.5).
func complainsOfTime(body []byte) bool {
	e := parseEnvelope(body)
	return e.code == "APIGW.0303" || strings.Contains(strings.ToLower(e.message), "x-sdk-date")
}
