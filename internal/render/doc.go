// Package render compiles and executes Go templates with Alertmanager's
// functions, linted and bounded.
//
// Templates are written by the operator; what they are executed on is sent by
// strangers. Data is therefore never parsed: formats and regular expressions
// must stand in the template itself. text/template cannot be interrupted, so
// everything whose cost data could drive up is refused when a template is
// compiled (nested loops, recursion) or stops with an error when it is executed
// (loops over numbers, texts over MaxOutput). A compiled Template never panics,
// never returns more than MaxOutput bytes, and is safe for concurrent use.
package render
