package main

import (
	"crypto/x509"
	"os"
	"os/exec"
	"testing"
)

// alone marks a process of the test's own, where the system has no authorities: a
// process reads them once. Time zones are tried in the image, see .ci/homes.
const alone = "COCBRIDGE_TEST_ALONE"

func TestEmbedded_authoritiesWhereTheSystemHasNone(t *testing.T) {
	if os.Getenv(alone) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = []string{alone + "=1", "SSL_CERT_FILE=/nonexistent", "SSL_CERT_DIR=/nonexistent"}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(pool.Subjects()); n < 100 { //nolint:staticcheck // the number is all there is to see
		t.Errorf("%d authorities", n)
	}
}
