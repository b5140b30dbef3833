package scripts

import (
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

var sinceKey = []byte("since")

// remember notes, once in a store's life, from when on no call can be unknown to
// it: from its first start, or from the oldest call of the journal, which may have
// outlived an earlier store.
func (s *Scripts) remember(tx *store.Tx, journal []Entry) error {
	b, err := tx.Get(fuseBucket, sinceKey)
	if undamaged(err) != nil || err == nil && b != nil {
		return undamaged(err)
	}
	since := s.o.Now()
	for _, e := range journal {
		if e.At.Before(since) {
			since = e.At
		}
	}
	return tx.Put(fuseBucket, sinceKey, []byte(since.UTC().Format(time.RFC3339Nano)))
}

// memory is the time that remember has noted. An episode that began before may have
// run on another machine, or before both records were lost, so it does not run
// here. A note that cannot be read remembers nothing before now.
func memory(tx *store.Tx, now time.Time) (time.Time, error) {
	b, err := tx.Get(fuseBucket, sinceKey)
	if undamaged(err) != nil {
		return now, err
	}
	if err == nil && b == nil {
		return time.Time{}, nil
	}
	since, problem := time.Parse(time.RFC3339Nano, string(b))
	if err != nil || problem != nil {
		return now, nil
	}
	return since, nil
}
