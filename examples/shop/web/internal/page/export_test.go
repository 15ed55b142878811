package page

// RoutesOf makes routes of other files.
var RoutesOf = routes
