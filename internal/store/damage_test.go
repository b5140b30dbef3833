package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/cocbridge/cocbridge/internal/store"
)

const pageSize = 4096

// metaOf reads the meta page that counts, as bbolt chooses it.
func metaOf(content []byte) (page int, pages, txid uint64) {
	for p := range 2 {
		body := content[p*pageSize+16:]
		if id := binary.NativeEndian.Uint64(body[48:]); p == 0 || id > txid {
			page, pages, txid = p, binary.NativeEndian.Uint64(body[40:]), id
		}
	}
	return page, pages, txid
}

// highWater is where the used part of the file ends.
func highWater(content []byte) int {
	_, pages, _ := metaOf(content)
	return int(pages) * pageSize
}

// Any flipped bit of a store is noticed, at Open or with the record, or it changes
// nothing. Never is there a wrong value, and never is one silently missing. The one
// exception is the number of a page that happens to lead to an older version of it.
func TestOpen_anyFlippedBit(t *testing.T) {
	path := newPath(t)
	s, end := run(t, store.Options{Path: path, MaxSize: smallSize})
	want := map[string]string{}
	for i := range 120 {
		key, value := fmt.Sprintf("key-%04d", i), fmt.Sprintf("value %d of some length %0200d", i, i)
		want[key] = value
		update(t, s, put("records", key, value))
	}
	update(t, s, put("few", "a", "in a bucket that lies inside its parent's page"))
	_ = end()
	content := read(t, path)
	damaged, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer damaged.Close()
	random := rand.New(rand.NewPCG(1, 2))
	outcomes, numbers := map[string]int{}, pageNumbers(content)
	for _, at := range flips(random, content) {
		poke(t, damaged, at/8, content[at/8]^1<<(at%8))
		outcome := judge(t, path, want)
		poke(t, damaged, at/8, content[at/8])
		outcomes[outcome]++
		if outcome == "wrong" || outcome == "missing" && !numbers[at/8] {
			t.Errorf("%s: bit %d of byte %d of page %d", outcome, at%8, at/8%pageSize, at/8/pageSize)
		}
	}
	t.Log(outcomes)
	for _, outcome := range []string{"refused", "noticed", "harmless", "torn"} {
		if outcomes[outcome] == 0 {
			t.Errorf("no flip was %s: the test proves less than it says", outcome)
		}
	}
}

// flips chooses bits of the used part of the file: many at random, and all that
// matter most, in the meta pages, in the page that names the buckets, and in the
// heads of all pages.
func flips(random *rand.Rand, content []byte) (bits []int) {
	used := highWater(content)
	for range 1500 {
		bits = append(bits, random.IntN(8*used))
	}
	meta, _, _ := metaOf(content)
	root := int(binary.NativeEndian.Uint64(content[meta*pageSize+16+16:]))
	for _, area := range [][2]int{{0, 90}, {pageSize, pageSize + 90}, {root * pageSize, root*pageSize + 500}} {
		for at := area[0]; at < area[1]; at++ {
			bits = append(bits, 8*at+random.IntN(8), 8*at+random.IntN(8))
		}
	}
	for page := 0; page < used; page += pageSize {
		for bit := 8 * (page + 8); bit < 8*(page+16); bit += 1 + random.IntN(3) {
			bits = append(bits, bit)
		}
	}
	return bits
}

// pageNumbers returns which bytes of the used part of the file hold a page number.
func pageNumbers(content []byte) map[int]bool {
	order := binary.NativeEndian
	bytes := map[int]bool{}
	add := func(at int) {
		for i := range 8 {
			bytes[at+i] = true
		}
	}
	for page := 2 * pageSize; page < highWater(content); page += pageSize {
		for i := range int(order.Uint16(content[page+10:])) {
			element := page + 16 + 16*i
			switch leaf := order.Uint16(content[page+8:]) == 2; {
			case !leaf:
				add(element + 8)
			case order.Uint32(content[element:]) == 1: // a bucket
				add(element + int(order.Uint32(content[element+4:])+order.Uint32(content[element+8:])))
			}
		}
	}
	return bytes
}

func poke(t *testing.T, file *os.File, at int, b byte) {
	t.Helper()
	if _, err := file.WriteAt([]byte{b}, int64(at)); err != nil {
		t.Fatal(err)
	}
}

// judge opens a damaged store and says how the damage shows.
func judge(t *testing.T, path string, want map[string]string) string {
	t.Helper()
	s, err := store.Open(store.Options{Path: path})
	if err != nil {
		if !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrForeign) && !errors.Is(err, store.ErrNewer) {
			t.Errorf("error = %v", err)
		}
		return "refused"
	}
	defer s.Close()
	got, damaged := dump(t, s, "records")
	few, fewDamaged := dump(t, s, "few")
	for key, value := range got {
		if want[key] != value {
			t.Errorf("%q = %q, want %q", key, value, want[key])
			return "wrong"
		}
	}
	switch missing := len(want) - len(got) + 1 - len(few); {
	case damaged+fewDamaged > 0:
		return "noticed"
	case s.Stats().TornMeta: // the last commit may be missing
		return "torn"
	case missing > 0:
		return "missing"
	}
	return "harmless"
}

func TestTx_Get_damaged(t *testing.T) {
	path := newPath(t)
	s, end := run(t, store.Options{Path: path})
	update(t, s, put("a", "key", "a value that can be found"))
	_ = end()
	content := read(t, path)
	at := indexOf(content[2*pageSize:], "a value that can be found") + 2*pageSize
	for ; at > 2*pageSize; at = indexOf(content[at:], "a value that can be found") + at {
		content[at] ^= 1
	}
	write(t, path, content)
	s, _ = run(t, store.Options{Path: path})
	err := s.View(func(tx *store.Tx) error {
		value, err := tx.Get("a", []byte("key"))
		if value != nil {
			t.Errorf("value = %q", value)
		}
		return err
	})
	var broken *store.CorruptError
	if !errors.As(err, &broken) || !errors.Is(err, store.ErrCorrupt) {
		t.Fatalf("error = %v", err)
	}
	if broken.Bucket != "a" || string(broken.Key) != "key" || string(broken.Raw[1:len(broken.Raw)-4]) != "` value that can be found" {
		t.Errorf("error = %+v", broken)
	}
	update(t, s, func(tx *store.Tx) error { return tx.Delete("a", []byte("key")) })
	if got, damaged := dump(t, s, "a"); len(got)+damaged > 0 {
		t.Errorf("a damaged record cannot be deleted: %v, %d damaged", got, damaged)
	}
}

// A record is good only in its place.
func TestTx_Get_misplaced(t *testing.T) {
	path := newPath(t)
	s, end := run(t, store.Options{Path: path})
	update(t, s, put("a", "key", "value"))
	update(t, s, put("b", "other", "value"))
	_ = end()
	editDB(t, path, func(tx *bbolt.Tx) error {
		a, b := tx.Bucket([]byte("a")), tx.Bucket([]byte("b"))
		raw := a.Get([]byte("key"))
		return errors.Join(a.Put([]byte("kex"), raw), b.Put([]byte("key"), raw))
	})
	s, _ = run(t, store.Options{Path: path})
	for bucket, good := range map[store.Bucket]string{"a": "key", "b": "other"} {
		got, damaged := dump(t, s, bucket)
		if diff := cmp.Diff(map[string]string{good: "value"}, got); diff != "" || damaged != 1 {
			t.Errorf("bucket %s: %d damaged, records (-want +got):\n%s", bucket, damaged, diff)
		}
	}
}

func indexOf(content []byte, text string) int {
	for i := range len(content) - len(text) {
		if string(content[i:i+len(text)]) == text {
			return i
		}
	}
	return -1 << 30
}

// A power cut leaves of a commit any of its data pages, whole, torn or not at all,
// and its meta page only once all of them are there. After each legal image the
// store opens with exactly the state before the commit or the one after it, and
// after it only once the meta page is whole.
func TestOpen_afterPowerCut(t *testing.T) {
	path := newPath(t)
	s, _ := run(t, store.Options{Path: path, MaxSize: smallSize})
	random := rand.New(rand.NewPCG(3, 4))
	imagePath := filepath.Join(t.TempDir(), "cocbridge.db")
	state, images := map[string]string{}, 0
	for n := range 40 {
		before, content := maps.Clone(state), read(t, path)
		update(t, s, func(tx *store.Tx) error {
			for range 1 + random.IntN(8) {
				key := fmt.Sprintf("%03d", random.IntN(60))
				if random.IntN(3) == 0 {
					delete(state, key)
					if err := tx.Delete("a", []byte(key)); err != nil {
						return err
					}
					continue
				}
				state[key] = fmt.Sprintf("%d %0*d", n, random.IntN(3000), 0)
				if err := put("a", key, state[key])(tx); err != nil {
					return err
				}
			}
			return nil
		})
		for image, want := range legalImages(random, content, read(t, path), before, state) {
			write(t, imagePath, []byte(image))
			checkState(t, imagePath, want)
			images++
		}
	}
	t.Logf("%d images", images)
}

// legalImages builds what may be on disk if the power is cut in the commit between
// the two contents, each with the state it must open with.
func legalImages(random *rand.Rand, before, after []byte, old, new map[string]string) map[string]map[string]string {
	meta, _, _ := metaOf(after)
	var changed []int // data pages
	for at := 2 * pageSize; at < len(after); at += pageSize {
		if at >= len(before) || string(before[at:at+pageSize]) != string(after[at:at+pageSize]) {
			changed = append(changed, at)
		}
	}
	images := map[string]map[string]string{string(before): old, string(after): new}
	for range 6 { // some of the data pages
		image := append(append([]byte{}, before...), make([]byte, len(after)-len(before))...)
		for _, at := range changed {
			sectors := random.IntN(9)
			copy(image[at:at+sectors*512], after[at:])
		}
		images[string(image)] = old
	}
	torn := append([]byte{}, after...) // all of them, and some bytes of the meta page
	at := meta * pageSize
	copy(torn[at:at+pageSize], before[at:])
	images[string(torn)] = old
	torn = append([]byte{}, torn...)
	copy(torn[at:at+64], after[at:]) // up to before the transaction's number
	images[string(torn)] = old
	return images
}

func checkState(t *testing.T, path string, want map[string]string) {
	t.Helper()
	s, err := store.Open(store.Options{Path: path})
	if err != nil {
		t.Error(err)
		return
	}
	defer s.Close()
	got, damaged := dump(t, s, "a")
	if diff := cmp.Diff(want, got); diff != "" || damaged > 0 {
		t.Errorf("%d damaged, state (-want +got):\n%s", damaged, diff)
	}
}
