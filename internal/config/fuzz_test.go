package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cocbridge/cocbridge/internal/config"
)

// FuzzLoad: whatever the file holds, Load ends with a list of problems or with
// a configuration that it gives again.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(""))
	seeds, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range append(seeds, "../../config.example.yaml") {
		data, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	file := filepath.Join(f.TempDir(), "c.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(config.Options{File: file})
		var problems *config.Error
		switch {
		case err == nil && c == nil, err != nil && c != nil:
			t.Fatalf("got %v and %v", c, err)
		case err == nil:
			again, err := config.Load(config.Options{File: file})
			if err != nil {
				t.Fatal(err)
			}
			if diff := diffConfig(*c, *again); diff != "" {
				t.Fatalf("the second time differs:\n%s", diff)
			}
		case !errors.As(err, &problems) || len(problems.Problems) == 0:
			t.Fatalf("the error is %#v", err)
		}
	})
}
