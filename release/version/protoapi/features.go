package protoapi

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/gofeaturespb"
)

// features are the settings of editions that hold for a declaration
// (protobuf.dev/editions/features). Those of proto2 and proto3 are fixed.
type features struct {
	presence descriptorpb.FeatureSet_FieldPresence
	enum     descriptorpb.FeatureSet_EnumType
	utf8     descriptorpb.FeatureSet_Utf8Validation
	encoding descriptorpb.FeatureSet_MessageEncoding
	json     descriptorpb.FeatureSet_JsonFormat
	goAPI    gofeaturespb.GoFeatures_APILevel
}

// fileFeatures returns those of a file: its edition's defaults and its own.
func fileFeatures(f *descriptorpb.FileDescriptorProto) features {
	d := features{
		presence: descriptorpb.FeatureSet_EXPLICIT,
		enum:     descriptorpb.FeatureSet_OPEN,
		utf8:     descriptorpb.FeatureSet_VERIFY,
		encoding: descriptorpb.FeatureSet_LENGTH_PREFIXED,
		json:     descriptorpb.FeatureSet_ALLOW,
		goAPI:    gofeaturespb.GoFeatures_API_OPEN,
	}
	switch {
	case f.GetSyntax() == "proto3":
		d.presence = descriptorpb.FeatureSet_IMPLICIT
	case f.GetSyntax() != "editions":
		d.enum = descriptorpb.FeatureSet_CLOSED
		d.utf8 = descriptorpb.FeatureSet_NONE
		d.json = descriptorpb.FeatureSet_LEGACY_BEST_EFFORT
	case f.GetEdition() >= descriptorpb.Edition_EDITION_2024:
		d.goAPI = gofeaturespb.GoFeatures_API_OPAQUE
	}
	return d.with(f.GetOptions().GetFeatures())
}

// with returns the features with those that a declaration sets itself.
func (f features) with(own *descriptorpb.FeatureSet) features {
	if own == nil {
		return f
	}
	set(&f.presence, own.FieldPresence)
	set(&f.enum, own.EnumType)
	set(&f.utf8, own.Utf8Validation)
	set(&f.encoding, own.MessageEncoding)
	set(&f.json, own.JsonFormat)
	set(&f.goAPI, goFeatures(own).ApiLevel)
	return f
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// goFeatures reads the extension for Go, which a compiler that does not know it
// leaves as bytes.
func goFeatures(own *descriptorpb.FeatureSet) *gofeaturespb.GoFeatures {
	known := &descriptorpb.FeatureSet{}
	if data, err := proto.Marshal(own); err == nil && proto.Unmarshal(data, known) == nil {
		if g, ok := proto.GetExtension(known, gofeaturespb.E_Go).(*gofeaturespb.GoFeatures); ok && g != nil {
			return g
		}
	}
	return &gofeaturespb.GoFeatures{}
}
