// Package incidents opens COC tickets for alerts that match a rule and walks them
// through their life: one ticket per problem, and never against the people who
// work on it.
//
// A group is a rule with the values of its group_by labels; its members are the
// alarms that matched. An episode of a group begins with the first member that
// fires, has one Record and at most one ticket, and is over once the ticket is
// solved or closed, every member has recovered, and refire.within has passed.
// Hear and Recovered note members in the transaction that accepts the alert, so
// they are lost or repeated together with it. Members are known by the alarm, not
// by today's matchers: a recovery reaches its group after any reload.
//
// A group has at most one task in the queue, which means "look at this group
// again". News of members only pull it forward, by no less than lull: a thousand
// alerts cost one ticket and a handful of looks. Do reads what is on disk, asks
// plan, which is pure, for the next step, and takes that one step. A step that rests
// on what the members do is planned again in the commit that writes it, and Settle
// plans again in the transaction that removes the task, sees whatever came between,
// and puts the next task. Nobody waits in memory: hold, solve.after, settling and
// polling are due times.
//
// A create is not safe to repeat. The intent is synced before the call; when its
// outcome is unknown (or the process died, or the store is younger than the
// alert) the ticket is looked for by the mark in its title, and a second create
// needs looks after both settling times that read all and found nothing. Every other step
// reads the ticket first; what is already there counts as done, and what a person
// did stays: a rejected, closed, reassigned or reopened ticket is not fought over.
package incidents
