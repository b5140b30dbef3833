package store_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/store"
)

func TestTx_Get(t *testing.T) {
	s, _ := run(t, store.Options{Path: newPath(t)})
	update(t, s, func(tx *store.Tx) error {
		large := strings.Repeat("x", 5000) // so that the bucket has pages of its own
		return errors.Join(put("a", "full", "value")(tx), put("a", "empty", "")(tx), put("a", "large", large)(tx))
	})
	for key, want := range map[string][]byte{"full": []byte("value"), "empty": {}, "absent": nil} {
		err := s.View(func(tx *store.Tx) error {
			got, err := tx.Get("a", []byte(key))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Get(%s) (-want +got):\n%s", key, diff)
			}
			for i := range got {
				got[i]++ // it is a copy
			}
			return err
		})
		if err != nil {
			t.Errorf("Get(%s): %v", key, err)
		}
	}
}

func TestTx_Get_missingBucket(t *testing.T) {
	s, _ := run(t, store.Options{Path: newPath(t)})
	err := s.View(func(tx *store.Tx) error {
		got, err := tx.Get("none", []byte("k"))
		if got != nil {
			t.Errorf("Get = %q, want nothing", got)
		}
		tx.Scan("none", nil, func(_, _ []byte, _ error) bool {
			t.Error("Scan visits something")
			return false
		})
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTx_Put(t *testing.T) {
	t.Run("keeps no slice of the caller", func(t *testing.T) {
		s, _ := run(t, store.Options{Path: newPath(t)})
		update(t, s, func(tx *store.Tx) error {
			key, value := []byte("key"), []byte("value")
			err := tx.Put("a", key, value)
			copy(key, "xxx")
			copy(value, "xxxxx")
			return err
		})
		got, _ := dump(t, s, "a")
		if diff := cmp.Diff(map[string]string{"key": "value"}, got); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
	})
	t.Run("says which bucket refused", func(t *testing.T) {
		s, _ := run(t, store.Options{Path: newPath(t)})
		err := s.Update(t.Context(), put("a", "", "value"))
		if err == nil || !strings.Contains(err.Error(), "bucket a: key required") {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("is refused in a read", func(t *testing.T) {
		s, _ := run(t, store.Options{Path: newPath(t)})
		if err := s.View(put("a", "k", "v")); err == nil {
			t.Error("a View has written")
		}
	})
}

func TestTx_Delete(t *testing.T) {
	s, _ := run(t, store.Options{Path: newPath(t)})
	update(t, s, func(tx *store.Tx) error {
		return errors.Join(put("a", "1", "x")(tx), put("a", "2", "y")(tx))
	})
	update(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.Delete("a", []byte("1")), tx.Delete("a", []byte("absent")), tx.Delete("none", []byte("1")))
	})
	got, _ := dump(t, s, "a")
	if diff := cmp.Diff(map[string]string{"2": "y"}, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestTx_Scan(t *testing.T) {
	s, _ := run(t, store.Options{Path: newPath(t)})
	update(t, s, func(tx *store.Tx) error {
		for _, key := range []string{"d", "b", "c", "a"} {
			if err := tx.Put("x", []byte(key), []byte(key+key)); err != nil {
				return err
			}
		}
		return nil
	})
	var got []string
	err := s.View(func(tx *store.Tx) error {
		tx.Scan("x", []byte("b"), func(key, value []byte, err error) bool {
			got = append(got, string(key)+"="+string(value))
			return !bytes.Equal(key, []byte("c"))
		})
		return nil
	})
	if diff := cmp.Diff([]string{"b=bb", "c=cc"}, got); diff != "" || err != nil {
		t.Errorf("visited (-want +got), %v:\n%s", err, diff)
	}
}

func TestTx_Next(t *testing.T) {
	path := newPath(t)
	var got []uint64
	next := func(tx *store.Tx) error {
		n, err := tx.Next("seq")
		got = append(got, n)
		return err
	}
	s, end := run(t, store.Options{Path: path})
	update(t, s, next)
	update(t, s, next)
	_ = end()
	s, _ = run(t, store.Options{Path: path})
	update(t, s, next)
	update(t, s, func(tx *store.Tx) error { return tx.Advance("seq", 100) })
	update(t, s, func(tx *store.Tx) error { return tx.Advance("seq", 50) })
	update(t, s, next)
	if diff := cmp.Diff([]uint64{1, 2, 3, 101}, got); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
}
