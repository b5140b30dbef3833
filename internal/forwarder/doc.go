// Package forwarder works off the queue: it takes a task, hands it to the
// handler of the task's kind, and decides from the answer what becomes of it.
//
// Each lease ends in exactly one of four ways. Ack: COC has it. Retry: this
// task failed in a way that may pass; it waits, its lane behind it, and gives up
// after a time that counts only its own failures. Bury: it can never succeed,
// so it becomes a dead letter. Release: not the task but the way to COC is at
// fault; the integration's gate closes with that cause, the task goes back
// unharmed, and one probe at a time finds out when the way is clear again.
//
// What a handler's record must note about an outcome is written in the same
// transaction that ends the lease.
package forwarder
