package main

// What an image without an operating system lacks. Both are used only where the
// system has none: SSL_CERT_FILE and mounted zone files win.
import (
	_ "time/tzdata"

	_ "golang.org/x/crypto/x509roots/fallback"
)
