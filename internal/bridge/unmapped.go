package bridge

import (
	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/queue"
)

// unmapped is an alert that became a dead letter at its arrival.
type unmapped struct {
	alarmID string
	cause   queue.Cause
}

// maxUnmappedLines bounds what one request can write into the log.
const maxUnmappedLines = 10

func (b *Bridge) logUnmapped(all []unmapped) {
	for i, one := range all {
		if i == maxUnmappedLines {
			b.o.Log.Error("more dead letters of the same request", zap.Int("count", len(all)-i))
			return
		}
		b.o.Log.Error("dead letter", zap.String("key", one.alarmID), zap.String("cause", one.cause.Code), zap.String("err", one.cause.Detail))
	}
}
