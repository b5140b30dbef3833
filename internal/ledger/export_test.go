package ledger

// For tests of the form on disk.
var (
	EncodeEntry = encodeEntry
	DecodeEntry = decodeEntry
)
