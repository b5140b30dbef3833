package admin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// tokenFile lies in the store's folder, readable by its owner only.
const tokenFile = "admin.token"

// TokenPath is where the admin token of a daemon with this store folder lies.
func TokenPath(storeFolder string) string { return filepath.Join(storeFolder, tokenFile) }

// Token reads the admin token from the store's folder and creates it, mode
// 0600, when there is none.
func Token(storeFolder string) (secret.String, error) {
	token, err := ReadToken(storeFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return createToken(TokenPath(storeFolder))
	}
	return token, err
}

// others are the permissions of those who are neither owner nor group. A volume
// of Kubernetes may give its group the right to read.
const others = 0o007

// ReadToken reads the admin token from the store's folder. The error wraps
// fs.ErrNotExist when there is none.
func ReadToken(storeFolder string) (secret.String, error) {
	path := TokenPath(storeFolder)
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("admin: read the admin token: %w", err)
	}
	if mode := info.Mode().Perm(); mode&others != 0 {
		return "", fmt.Errorf("admin: the admin token in %s can be used by everybody on this host (mode %04o): chmod 600 it", path, mode)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("admin: read the admin token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", fmt.Errorf("admin: the admin token in %s is empty: delete the file, a new one is made at the next start", path)
	}
	return secret.String(token), nil
}

// createToken writes a temporary file first, so that a crash leaves no half token.
func createToken(path string) (secret.String, error) {
	token := rand.Text()
	if err := os.WriteFile(path+".tmp", []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("admin: create the admin token: %w; make its folder writable for the user that cocbridge runs as, on a disk with some space", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return "", fmt.Errorf("admin: create the admin token: %w; make its folder writable for the user that cocbridge runs as, on a disk with some space", err)
	}
	return secret.String(token), nil
}
