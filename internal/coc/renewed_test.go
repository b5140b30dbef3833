package coc_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
)

// each second of the time, somebody wants the value.
func eachSecond(t *testing.T, n *coc.Renewed, seconds int, look func(second int, value string, err error)) {
	t.Helper()
	for second := range seconds {
		value, err := n.Get(t.Context())
		synctest.Wait() // for a renewal beside
		look(second, value, err)
		<-time.After(time.Second) // of the bubble that the caller is in
	}
}

func TestRenewed_atMostOnceAMinute(t *testing.T) {
	for name, test := range map[string]struct {
		life    time.Duration
		fails   coc.Class // all fetches but the first; zero = none
		seconds int
		want    int64
	}{
		"a long life":                          {time.Hour, 0, 2 * 3600, 3}, // at 0, 48 and 96 min
		"a life of two minutes":                {2 * time.Minute, 0, 959, 10},
		"80 % are under a minute":              {65 * time.Second, 0, 600, 10},
		"renewals fail, the value lives":       {time.Hour, coc.Network, 3600, 1 + 12},
		"log-ins are refused, the value lives": {time.Hour, coc.Auth, 3600, 1 + 3}, // at 48, 53 and 58 min
		"and so is the name of the project":    {time.Hour, coc.Misconfigured, 3600, 1 + 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var fetches atomic.Int64
				n := coc.NewRenewed(5*time.Minute, func(context.Context) (string, time.Duration, error) {
					n := fetches.Add(1)
					if test.fails != 0 && n > 1 {
						return "", 0, &coc.Error{Class: test.fails}
					}
					return strconv.FormatInt(n, 10), test.life, nil
				})
				eachSecond(t, n, test.seconds, func(second int, value string, err error) {
					if err != nil || value == "" {
						t.Fatalf("after %d s: %q, %v", second, value, err)
					}
				})
				if n := fetches.Load(); n != test.want {
					t.Errorf("%d fetches, want %d", n, test.want)
				}
				n.Close()
			})
		})
	}
}

// What nobody asks for stays fresh too, but a refusal ends that.
func TestRenewed_whileNobodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetches atomic.Int64
		n := coc.NewRenewed(5*time.Minute, func(context.Context) (string, time.Duration, error) {
			n := fetches.Add(1)
			if n == 4 {
				return "", 0, &coc.Error{Class: coc.Auth}
			}
			return strconv.FormatInt(n, 10), time.Hour, nil
		})
		want := func(value string) {
			t.Helper()
			if got, err := n.Get(t.Context()); err != nil || got != value {
				t.Errorf("%q, %v, want %s", got, err, value)
			}
		}
		want("1")
		time.Sleep(2*48*time.Minute + time.Second)
		synctest.Wait()
		if n := fetches.Load(); n != 3 {
			t.Errorf("%d fetches, want one each 48 min", n)
		}
		want("3")
		time.Sleep(55 * time.Minute)
		synctest.Wait()
		if n := fetches.Load(); n != 4 {
			t.Errorf("%d fetches, want none after the refusal", n)
		}
		want("3")
		n.Close()
		time.Sleep(24 * time.Hour)
		if n := fetches.Load(); n != 5 {
			t.Errorf("%d fetches, want the one that was asked for, and none after Close", n)
		}
	})
}

// A refusal stands for a while; what is only not reached is asked by everyone.
func TestRenewed_withoutAValue(t *testing.T) {
	for class, want := range map[coc.Class]int{coc.Auth: 2, coc.Misconfigured: 2, coc.Network: 600, coc.Retry: 600} {
		synctest.Test(t, func(t *testing.T) {
			refusal, fetches := &coc.Error{Class: class}, 0
			n := coc.NewRenewed(5*time.Minute, func(context.Context) (string, time.Duration, error) {
				fetches++
				return "", 0, refusal
			})
			eachSecond(t, n, 600, func(_ int, value string, err error) {
				if !errors.Is(err, refusal) || value != "" {
					t.Fatalf("%q, %v", value, err)
				}
			})
			if fetches != want {
				t.Errorf("class %v: %d fetches in ten minutes, want %d", class, fetches, want)
			}
			n.Close()
		})
	}
}

func TestRenewed_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fetches := 0
		n := coc.NewRenewed(0, func(ctx context.Context) (string, time.Duration, error) {
			fetches++
			if fetches == 2 {
				<-ctx.Done()
				return "", 0, ctx.Err()
			}
			return strconv.Itoa(fetches), time.Hour, nil
		})
		want := func(value string) {
			t.Helper()
			if got, err := n.Get(t.Context()); err != nil || got != value {
				t.Errorf("%q, %v, want %s", got, err, value)
			}
		}
		want("1")
		time.Sleep(50 * time.Minute)
		want("1") // and a renewal hangs beside
		synctest.Wait()
		before := time.Now()
		n.Close()
		if waited := time.Since(before); waited != 0 {
			t.Errorf("Close waited %s for what nobody waits for", waited)
		}
		want("1") // and no renewal begins
		time.Sleep(10 * time.Minute)
		want("3") // but a call that needs the value still gets it
		if fetches != 3 {
			t.Errorf("%d fetches", fetches)
		}
	})
}
