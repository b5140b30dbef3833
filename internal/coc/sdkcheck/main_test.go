package sdkcheck_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

var (
	seed   = flag.Uint64("seed", 0, "of the random requests; 0 = a new one, which is printed")
	count  = flag.Int("requests", 1000, "how many random requests each comparison makes")
	update = flag.Bool("update", false, "write testdata/signatures.json anew")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	fmt.Printf("sdkcheck: %d random requests per comparison, -seed=%d\n", *count, *seed)
	os.Exit(run(m))
}

// run gives the SDK an empty home: it would write an id of the machine there,
// and read settings.
func run(m *testing.M) int {
	home, err := os.MkdirTemp("", "sdkcheck")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(home) }()
	if err := os.Setenv("HOME", home); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
