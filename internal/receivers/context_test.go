package receivers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

// The context of a group is stored with each of its alerts, so a small body
// could otherwise become gigabytes on disk.
func TestDecode_boundsTheContextOfAllAlerts(t *testing.T) {
	body := func(alerts int) []byte {
		labels := make([]string, 64)
		for i := range labels {
			labels[i] = fmt.Sprintf("%q:%q", fmt.Sprint("l", i), strings.Repeat("x", 4000))
		}
		one := `{"status":"firing","labels":{"a":"b"}}`
		return fmt.Appendf(nil, `{"version":"4","groupLabels":{%s},"alerts":[%s]}`, strings.Join(labels, ","), strings.Repeat(one+",", alerts-1)+one)
	}
	if _, err := receivers.Decode(body(100), limits, "am", arrival); err != nil {
		t.Errorf("100 alerts: %v", err)
	}
	var refused *receivers.Error
	if _, err := receivers.Decode(body(2000), limits, "am", arrival); !errors.As(err, &refused) || refused.Reason != receivers.TooLarge {
		t.Errorf("2000 alerts with 256 KB of group labels each: %v", err)
	}
}

// Claiming a large body costs nothing until it arrives.
func TestServer_aClaimedBodyIsNotReserved(t *testing.T) {
	budget := receivers.NewBudget(2 << 20)
	s := newServer(t, func(o *receivers.Options) { o.Budget = budget })
	for range 8 {
		conn := dial(t, s)
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{", 2<<20)
	}
	if got := s.post(t, message(good)); got.status != 200 {
		t.Errorf("while others claim what they do not send: %d %s", got.status, got.body)
	}
}
