// Package installation is what stages that test in Kubernetes have in common:
// bundles whose images are brought into the cluster while everything else is
// being prepared, each bundle's own chart with exactly that image, a namespace
// that is given back in any case, and what is kept of it after a failure.
//
// The convention that makes a chart run a given image is that of `helm create`:
// the values image.repository and image.tag. An image gets a name in the
// cluster that has its digest in it, so that bundles of equal versions can be
// there side by side and an old one is never taken for a new one.
package installation
