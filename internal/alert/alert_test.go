package alert_test

import (
	"testing"

	"github.com/cocbridge/cocbridge/internal/alert"
)

// The formula is a promise over versions: a changed value would leave every
// open alarm in COC without its recovery.
func TestAlert_AlarmID(t *testing.T) {
	a := alert.Alert{Receiver: "alertmanager", Fingerprint: "f90f64c0ecfd3905", Status: alert.Firing}
	const want = "c44606126f98ab46eb58fef6efe7e5a7"
	if got := a.AlarmID(); got != want {
		t.Errorf("AlarmID = %q, want %q", got, want)
	}
	a.Status = alert.Resolved
	if got := a.AlarmID(); got != want {
		t.Errorf("the resolve has another AlarmID: %q", got)
	}
	other := alert.Alert{Receiver: "alertmanagerf", Fingerprint: "90f64c0ecfd3905"}
	if other.AlarmID() == want {
		t.Error("receiver and fingerprint run into each other")
	}
}
