// Package sdkcheck holds our client and our simulator against code that we did
// not write: Huawei's Go SDK, at the version in go.mod. It is a module of its
// own, so that the SDK stays out of the product, and has tests only: the SDK's
// client and ours report the same random alarms, the SDK's signer signs what
// ours signed, and the simulator must take what the SDK sends. Each comparison
// has a negative control. A failure prints the seed that repeats it. What our
// client cannot be made to send, odd paths and queries, the SDK has signed in
// testdata/signatures.json, for the tests of package coc.
//
// The two clients differ on purpose in these points, and in no others:
//
//   - We sign Content-Type and Host, as Huawei's SDKs for Java and Python do;
//     the Go SDK signs neither. What is not signed can be changed on the way.
//   - The SDK signs User-Agent, which a proxy may rewrite; we do not
//     (coc-api.md 2.2.4).
//   - Our Content-Type is application/json. The SDK adds a charset, which JSON
//     does not have.
//   - The SDK's User-Agent names the SDK and the machine; ours the program.
//   - The SDK's bodies end with a newline. In ours <, > and & are escaped. Both
//     say the same in JSON, and each signature covers the bytes that are sent.
//   - The SDK asks for gzip; we do not, so that the limit on what we read of an
//     answer is a limit on what was sent.
//   - Our X-Sdk-Date follows the server's clock once that has refused ours.
//   - A call of ours that acts has a connection of its own and says so
//     (Connection: close), so that net/http never repeats it by itself.
//   - We send is_service_interrupt as a bool, as COC's tables and Terraform's
//     provider do; the SDK's field is text.
//   - We read an id that is a number, tags that are a map, batches that are a bare
//     array; the SDK fails the whole call (coc-api.md 5.4).
//   - The SDK leaves out applicationId and alarmStatus when they are not set; we
//     always send them.
//   - The SDK pastes the integration key into the path as it is; we refuse one
//     that is not letters and digits.
//   - The SDK takes for success a 2xx or 3xx without a body, a body of null, and
//     a 200 with the code of an error (coc-api.md 5.4); we do not.
//   - The SDK loses the code of an error without a text and takes no number for
//     a code; we take both.
//
// Of the simulator two points are known: it is stricter than the SDK where newer
// documents are, in applicationId, alarmName, time and is_service_interrupt; and
// ids of executions are numbers, as in samples. Switches make it lenient.
package sdkcheck
