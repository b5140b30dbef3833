// Package bridge wires the parts of the daemon, owns their lives, and swaps
// their configuration.
//
// An alert's way is short: Accept maps it outside of any transaction, lets the
// ledger decide inside one, and writes task, ledger entry and dead letters
// together; the sender gets its 2xx when that transaction is synced. From then
// on the forwarder owns the task. Everything that follows from the
// configuration is one value that a reload replaces as a whole; whatever is
// being handled at that moment ends under the configuration it began with.
package bridge
