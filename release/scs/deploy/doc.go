// Package deploy installs the combination that an environment of a system is on
// into a namespace of a cluster, and tells where the two differ.
//
// Each member is a Helm release of its own, named like the service, made from the
// chart in its bundle; a person's own helm shows and understands it. What is
// installed stands in the ConfigMap "pipeline-system" of the namespace, which is
// written before the first change and after the last: a reader can tell a
// deployment that is going on, or died, from one that is complete.
//
// Plan is pure: it compares the deployment with what was read. Apply makes it
// true, under a lock in the namespace. Members go in waves, providers first; when
// one does not get ready, all that were changed since the last complete
// deployment go back to their revisions of then. A run that was killed is
// completed by running again. Look lists the drift: everything in which the
// cluster is not what the environment says, whoever changed it.
package deploy
