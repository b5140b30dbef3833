// Package mapping decides, without any I/O, what COC is to be told about an
// alert: the first route whose matchers all match says where it goes, and the
// templates of the configuration say what the alarm holds.
//
// An alarm that Map returns fits every limit of coc-api.md 3.1 in its strictest
// reading, whatever the alert holds: texts are cut at the borders of what a
// person sees as one character, counted in UTF-16 units, and what was cut is
// kept in additional. An alert that cannot be mapped is an Error that names the
// field and what to do; nothing vanishes silently. Map is deterministic: the
// same alert gives the same alarm, and firing and resolved give the same
// identity as long as the templates of its fields do not look at the status.
package mapping
