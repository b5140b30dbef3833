package scripts

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/cocbridge/cocbridge/internal/store"
)

// Fuse is what stops all runs until a person arms them again.
type Fuse struct {
	Blown   time.Time `json:"blown,omitzero"`   // too many new episodes
	Stopped time.Time `json:"stopped,omitzero"` // by hand
	By      string    `json:"by,omitzero"`      // who stopped or armed last
	Why     string    `json:"why,omitzero"`
	Armed   time.Time `json:"armed,omitzero"`  // when that was done last
	Recent  []int64   `json:"recent,omitzero"` // new episodes, milliseconds since 1970, oldest first
}

var fuseKey = []byte("fuse")

// loadFuse returns a stopped one where it cannot be read: in doubt nothing runs.
func loadFuse(tx *store.Tx) (f Fuse, err error) {
	b, err := tx.Get(fuseBucket, fuseKey)
	if err == nil && b == nil {
		return f, nil
	}
	if undamaged(err) != nil {
		return f, err
	}
	if err != nil || json.Unmarshal(b, &f) != nil {
		return Fuse{Stopped: time.Unix(0, 0).UTC(), By: "cocbridge", Why: "the record of the fuse is damaged: arm it again"}, nil
	}
	return f, nil
}

func (f Fuse) save(tx *store.Tx) error {
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("scripts: fuse: %w", err)
	}
	return tx.Put(fuseBucket, fuseKey, b)
}

// count takes in one new episode, and blows when there are more than s allows.
func (f *Fuse) count(s Storm, now time.Time) (blown bool) {
	if !f.Blown.IsZero() {
		return false
	}
	since := now.Add(-time.Duration(s.Within)).UnixMilli()
	f.Recent = append(slices.DeleteFunc(f.Recent, func(at int64) bool { return at <= since }), now.UnixMilli())
	if len(f.Recent) <= s.Episodes {
		return false
	}
	f.Blown, f.Recent = now, nil
	return true
}

// Arm lets runs begin again. What was refused meanwhile stays so.
func (s *Scripts) Arm(tx *store.Tx, by, why string) error {
	tx.OnCommit(func() { s.o.Metrics.armed.Set(1) })
	return Fuse{By: by, Why: why, Armed: s.o.Now()}.save(tx)
}

// Stop lets no run begin until Arm. Those that COC has begun go on.
func (s *Scripts) Stop(tx *store.Tx, by, why string) error {
	f, err := loadFuse(tx)
	if err != nil {
		return err
	}
	f.Stopped, f.By, f.Why = s.o.Now(), by, why
	tx.OnCommit(func() { s.o.Metrics.armed.Set(0) })
	return f.save(tx)
}

// Standing returns the fuse as it is.
func Standing(tx *store.Tx) (Fuse, error) { return loadFuse(tx) }
