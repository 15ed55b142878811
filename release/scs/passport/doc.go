// Package passport says whether a combination of services, a lock, a bundle or
// an environment may be what it claims to be, and on whose word. It is pure:
// bytes, keys and the time are handed in, so that the answer can be had offline,
// and later, and by somebody else.
//
// A passport lists every gate, the met ones as well: the release of each member,
// its stages, the suite of the system, the order of the environments, the
// consents of people, the promotion. A gate is met only by a statement that is
// there, signed by a key that may say this, about exactly this subject, for this
// system. Nothing counts against: what does not count is ignored and listed, and
// where a gate stays closed because of it, the refusal has its class ("expired"
// rather than "untested").
//
// An environment is judged more strictly than what lies in a registry: somebody
// chose its files, so that each of them has to belong there. Its promotions form
// a chain: each is bound to the one below by its sequence number and by the
// combination that was there before. Neither an older pointer nor a rewritten
// history passes for a new one.
package passport
