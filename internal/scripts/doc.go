// Package scripts runs COC scripts and jobs for alerts that match a rule: at most
// once per rule and episode, inside limits, and followed to their end.
//
// A Run is one rule's answer to one episode of an alarm; its id is made from both,
// so whoever repeats an alert, and whenever, meets the run that is there. It goes
//
//	PLANNED -> ARMED -> CALLING -> DONE
//	                       |-----> UNKNOWN -> DONE | ABSENT | CONFLICT
//
// and each arrow is one synced commit; move is the only place that draws them.
// CALLING is written, and written again to a Journal of its own, before the first
// byte leaves. Only an answer that proves that COC has not begun leads back to
// ARMED; whatever else goes wrong, a restart included, is UNKNOWN, and is settled
// by looking into COC's lists, never by calling again. What cannot be told for
// certain is left to a person.
//
// Whether a run may begin is asked twice: before it is armed, and in the commit
// that enters CALLING, after the wait for its turn, against the rules, budgets and
// switches of that moment.
// Waiting is a due time of the run's one task in the queue: a hold, a free place,
// the next look, the next poll.
package scripts
