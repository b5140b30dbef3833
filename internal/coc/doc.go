// Package coc is the typed, signing client of the COC API, and the only place
// that knows its URLs, limits and error codes.
//
// A request proves who it is from by a signature with keys of the configuration
// or of an ECS agency, or by a token of IAM. Tokens and keys are fetched once for
// all calls, renewed beside them and used until their real end; who has refused
// us is not asked again in a loop. A second credential steps in where the first
// is refused.
//
// Each call is authorised anew, goes out at most once, except where COC refused
// who it is from, and comes back as nil or as an *Error whose Class says what to
// do about it. COC's HTTP status alone decides nothing: 200 can carry a refusal
// and 400 can be COC's own trouble, so classify looks at status, code and wording
// at once.
//
// Calls of three kinds stand beside alarms: those that read, those that change
// what COC keeps, and those that start something on hosts. The last two act, and
// an act may not happen twice: it goes out on a connection of its own, so that
// net/http cannot repeat it, and Error.NotBegun says whether it may be tried again.
// An act that succeeded without telling what it made is an error of class Retry,
// for nobody knows. What breaks a documented limit is refused before it is sent.
//
// Answers are read in every form that COC's documents, samples and services give
// them, and words that are not known stay as COC wrote them.
//
// The client follows no redirect, reads no proxy from the environment, and
// bounds what it reads. No error it returns holds the integration key or a secret
// of a credential or proxy, even if an answer echoes them.
//
// Facts about the API are cited as coc-api.md with the section.
package coc
