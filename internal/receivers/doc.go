// Package receivers turns the requests of monitoring systems into alerts.
//
// A receiver is one path with its credentials and limits. It authenticates a
// request before it reads the body, bounds what it reads and what it keeps of
// it, decodes strictly, and hands the whole request on in one Batch. It answers
// 2xx only after Accept has returned nil, which means: stored for good.
//
// Decoding is pure and knows nothing of HTTP. A request is either decoded as a
// whole or refused with one plain sentence; a single alert that cannot be used
// does not stop its siblings but travels in Batch.Rejected.
package receivers
