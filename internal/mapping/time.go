package mapping

import (
	"fmt"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
)

func alarmStatus(a *alert.Alert) (coc.AlarmStatus, *Error) {
	switch a.Status {
	case alert.Firing:
		return coc.StatusAlarm, nil
	case alert.Resolved:
		return coc.StatusOK, nil
	default:
		return "", &Error{"status", fmt.Sprintf("%.32q is neither firing nor resolved; correct what the source sends", string(a.Status))}
	}
}

// Times that look like milliseconds since 1970, with 12 to 14 digits: from 1973
// to 5138 (coc-api.md 7). Seconds that were taken for milliseconds do not.
var (
	firstTime = time.UnixMilli(100_000_000_000)
	lastTime  = time.UnixMilli(99_999_999_999_999)
)

// alarmTime returns when the alert's state began, in milliseconds since 1970:
// startsAt while it fires, endsAt after that, or startsAt if there is none.
func alarmTime(a *alert.Alert) (int64, *Error) {
	field, t := "startsAt", a.StartsAt
	if a.Status == alert.Resolved && !a.EndsAt.IsZero() {
		field, t = "endsAt", a.EndsAt
	}
	if t.Before(firstTime) || t.After(lastTime) {
		return 0, &Error{field, fmt.Sprintf("%s is not a plausible time; correct the clock of the source, or the unit of the times it sends", t.UTC().Format(time.RFC3339))}
	}
	return t.UnixMilli(), nil
}
