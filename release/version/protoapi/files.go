package protoapi

import (
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"
)

// compareFiles compares the options that name generated code. A file that is
// gone is compared by what was declared in it: see compareMoved.
func (r *report) compareFiles() {
	for _, name := range sortedKeys(r.old.files) {
		o, n := r.old.files[name], r.new.files[name]
		if n == nil || o.GetPackage() != n.GetPackage() {
			if n != nil {
				r.same("FILE_SAME_PACKAGE", name, "the package", o.GetPackage(), n.GetPackage())
			}
			continue
		}
		was, is := fileOptions(o.GetOptions()), fileOptions(n.GetOptions())
		for _, rule := range sortedKeys(was) {
			option := strings.ToLower(strings.TrimPrefix(rule, "FILE_SAME_"))
			r.same(rule, name, option, was[rule], is[rule])
		}
	}
	r.compareMoved()
}

// compareMoved compares the Go packages of messages, enums and services that
// another file declares than before.
func (r *report) compareMoved() {
	for name, o := range r.old.messages {
		r.moved(o.declared, r.new.messages[name].declared)
	}
	for name, o := range r.old.enums {
		r.moved(o.declared, r.new.enums[name].declared)
	}
	for name, o := range r.old.services {
		r.moved(o.declared, r.new.services[name].declared)
	}
}

func (r *report) moved(old, new declared) {
	if new.file != nil && old.file.GetName() != new.file.GetName() {
		r.same("FILE_SAME_GO_PACKAGE", new.place(), "go_package", old.file.GetOptions().GetGoPackage(), new.file.GetOptions().GetGoPackage())
	}
}

// fileOptions returns the options that have a rule, by its name.
func fileOptions(o *descriptorpb.FileOptions) map[string]any {
	return map[string]any{
		"FILE_SAME_GO_PACKAGE":             o.GetGoPackage(),
		"FILE_SAME_CC_ENABLE_ARENAS":       o.GetCcEnableArenas(),
		"FILE_SAME_CC_GENERIC_SERVICES":    o.GetCcGenericServices(),
		"FILE_SAME_CSHARP_NAMESPACE":       o.GetCsharpNamespace(),
		"FILE_SAME_JAVA_GENERIC_SERVICES":  o.GetJavaGenericServices(),
		"FILE_SAME_JAVA_MULTIPLE_FILES":    o.GetJavaMultipleFiles(),
		"FILE_SAME_JAVA_OUTER_CLASSNAME":   o.GetJavaOuterClassname(),
		"FILE_SAME_JAVA_PACKAGE":           o.GetJavaPackage(),
		"FILE_SAME_OBJC_CLASS_PREFIX":      o.GetObjcClassPrefix(),
		"FILE_SAME_OPTIMIZE_FOR":           o.GetOptimizeFor(),
		"FILE_SAME_PHP_CLASS_PREFIX":       o.GetPhpClassPrefix(),
		"FILE_SAME_PHP_METADATA_NAMESPACE": o.GetPhpMetadataNamespace(),
		"FILE_SAME_PHP_NAMESPACE":          o.GetPhpNamespace(),
		"FILE_SAME_PY_GENERIC_SERVICES":    o.GetPyGenericServices(),
		"FILE_SAME_RUBY_PACKAGE":           o.GetRubyPackage(),
		"FILE_SAME_SWIFT_PREFIX":           o.GetSwiftPrefix(),
	}
}
