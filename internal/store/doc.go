// Package store keeps everything cocbridge must not forget in one bbolt file.
//
// Changes are functions over a Tx. One committer (Run) takes all that wait, runs
// them in one transaction and syncs it, so that many small changes share the cost
// of two fdatasyncs. Whoever waits is never kept waiting for company; what nobody waits
// for (Submit) joins the next group, or makes one after 10 ms. A nil from Update means synced.
// Every record carries a checksum over its bucket, key and value, since bbolt has
// none. A full disk refuses new input (Intake) and lets everything else through;
// any other error of a commit leaves unknown what is on disk, so the store stops
// for good and says so.
package store
