package server

// Seams for tests of what has no other way in.
var (
	ParseToken          = parseToken
	FormatToken         = formatToken
	RecoverStreamPanics = recoverStreamPanics
)
