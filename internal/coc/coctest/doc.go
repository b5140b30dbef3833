// Package coctest is a strict, stateful COC in process. It exists so that a
// sender of alarms can be tested, demonstrated and loaded without an account:
// it recomputes signatures, enforces every limit of the contract (coc-api.md)
// in its strictest reading, answers in COC's own envelopes, and fails on
// command. It also watches what it has accepted: a recovery that was overtaken,
// a closed alarm that opens again, or an event that arrives twice is reported
// by Violations and Duplicates and never changes an answer. It shares no code
// with the client, so that the two can disagree.
//
// It keeps incidents, scripts, script orders, hosts, jobs and their executions as
// well. What is accepted shows and gets on by the server's clock; what people do
// on the console comes through methods and the control API; where the contract
// contradicts itself a switch of Options chooses. Beside COC there are the log-in
// and project list of IAM and the metadata service of an ECS, with tokens and keys
// that expire and can be revoked. One file holds one noun. A Server is safe for
// concurrent use.
package coctest
