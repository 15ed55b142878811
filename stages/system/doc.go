// Package system is the stage that tests one combination of a self-contained
// system: exact versions of its services, in one fresh namespace.
//
// The services are installed all at once, each from its bundle with the bundle's
// own chart, since nobody says which of them comes first in the environments
// either: they have to wait for one another. When all are ready and each runs
// the image of its bundle and no other, the acceptance tests see the system from
// outside, through the Services of the namespace. The namespace is given back in
// any case.
//
// A verdict is bound to the id of the combination and the minor version of
// Kubernetes, and says something about the combination or nothing at all: red
// are its charts, its services and its tests; whatever else goes wrong, even a
// suite that does not compile, is not tested. A search for the culprit asks
// this stage many times, several times at once, and believes what it says.
// Therefore nothing of a run lies where another one could get at it, while
// images in the cluster and the compiled suite are used again.
package system
