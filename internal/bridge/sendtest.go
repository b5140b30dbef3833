package bridge

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/mapping"
)

// testAlert is the name of the alert that means nothing.
const testAlert = "CocbridgeTest"

// SendTest implements admin.Operations: one message about the test alarm takes
// the way of every alert. Whether it has arrived is what Why answers.
func (o operations) SendTest(ctx context.Context, t admin.SendTest) (admin.Test, error) {
	b := o.b
	message := own{name: testAlert, level: coc.Info, text: fmt.Sprintf("a test of cocbridge by %s; nothing is wrong", t.By), firing: !t.Resolve, began: b.o.Now()}
	if t.Resolve {
		identity, err := b.ownIdentity(ctx)
		if err != nil {
			return admin.Test{}, err
		}
		e, err := b.entry(ownAlarmID(identity, testAlert, ""))
		if err != nil || e == nil {
			return admin.Test{}, errors.Join(err, fmt.Errorf("%w: there was no test that could end", admin.ErrNotFound))
		}
		message.began = e.Began
	}
	out, err := b.say(ctx, message)
	var u *unsaid
	switch {
	case errors.As(err, &u):
		return admin.Test{}, fmt.Errorf("%w: the test alert cannot be mapped: %w", admin.ErrInvalid, u.err)
	case err != nil:
		return admin.Test{}, err
	case out.verdict == ledger.Dropped:
		return admin.Test{}, fmt.Errorf("%w: %s drops the test alert: let alerts of the receiver %q pass, by a route with the matcher receiver=%q before it",
			admin.ErrInvalid, mapping.Describe(b.live.Load().cfg.Routes, out.route), config.OwnReceiver, config.OwnReceiver)
	}
	o.audit("test alarm", t.By, zap.String("key", out.alarmID), zap.Bool("resolve", t.Resolve))
	return admin.Test{AlarmID: out.alarmID, Integration: out.integration, Verdict: string(out.verdict)}, nil
}
