package mapping

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/cocbridge/cocbridge/internal/coc"
)

// hashSize is the digits that tell programs that a text was longer.
const hashSize = 8 // hex

// identify cuts a text that something is known by. It then ends in a hash of
// the whole, so that two such texts stay two; the characters that are added are
// legal in every field.
func identify(s string) (short string, cut bool) {
	if coc.Units(s) <= coc.MaxText {
		return s, false
	}
	sum := sha256.Sum256([]byte(s))
	return coc.Prefix(s, coc.MaxText-hashSize-1) + "-" + hex.EncodeToString(sum[:])[:hashSize], true
}
