// Package ledger remembers per alarm what was last heard from its source and
// what COC last confirmed, and decides from that what is news.
//
// Senders repeat themselves, race each other and contradict each other; COC
// must hear each change once. Decide and the writes that follow it belong into
// one transaction of the store, together with the task they lead to: two
// requests that arrive at the same time can then never both be new.
//
// An entry says three things: the newest state that was accepted, the identity
// (integration, name, namespace, ...) under which it was queued, and what COC
// has confirmed. A recovery always takes its identity from there, never from
// today's routes or templates.
package ledger
