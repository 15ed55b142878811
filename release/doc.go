// Package release gives a version to what was tested.
//
// A release goes Decide -> Check -> Apply. Decide is pure: from what is known of
// the repository, the code, the verdicts and the people it makes a Draft, which
// says the version, why it is that one, whether the gate lets it pass, and the
// notes. Check reads the outside world: which effects are there already, which
// rights are missing, what stands in the way. Apply does what is missing, in the
// order of the steps.
//
// Nothing is built here. The bundle that was tested carries its version already;
// releasing it copies these bytes and names them. Each step looks first and then
// does what is missing, so a release that died anywhere is finished by running it
// again, and two at once come to the same end. The tag in git is what takes the
// version: what comes before it is named by digest and harms nobody, what comes
// after it can always be completed.
package release
