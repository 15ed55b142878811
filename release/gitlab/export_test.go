package gitlab

// Inert is for the fuzz test of descriptions.
func Inert(body string) string { return inert(body) }
