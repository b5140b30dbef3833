package ledger

// For tests of the form on disk.
var (
	EncodeEntry = encodeEntry
	DecodeEntry = decodeEntry
)

// Places is how many alarms the book has in memory.
func (b *Book) Places() int { return len(b.places) }
