package server

// RecoverStreamPanics is a seam: no stream of the health service panics.
var RecoverStreamPanics = recoverStreamPanics
