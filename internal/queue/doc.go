// Package queue keeps tasks in durable lanes over the store.
//
// It knows bytes, due times and attempts, nothing of what a task means. Tasks of
// one lane are worked off in the order of Put, one at a time; a lane whose first
// task is not due waits as a whole and holds back no other. Every change of a task
// is one transaction of the store together with whatever else belongs to it, and
// memory follows only what is committed. What cannot go on becomes a dead letter:
// nothing that was accepted ever disappears, damaged records included. A task that
// was in flight at several crashes of the process is taken out of the way.
//
// On disk (all keys of tasks, payloads and dead are ids, 8 bytes, big-endian):
//
//	tasks      id -> state of a waiting task, without its payload
//	payloads   id -> payload
//	dead       id -> dead letter with its task and payload
//	deadkeys   lane, kind, cause -> id of the dead letter
//	damaged    number -> a record that could not be read, as found
//
// In memory is, per waiting task, where it stands in its lane and when it is due:
// about 150 bytes. Strings, attempts and payloads are read when it is taken.
package queue
