package sign

import (
	"bytes"
	"encoding/json"
	"testing"
)

// Whatever comes from a registry, Verify neither panics nor accepts anything
// but what the key signed.
func FuzzVerify(f *testing.F) {
	key := aKey(f)
	signed := map[string]bool{}
	for _, p := range predicates() {
		envelope := mustSign(f, key, p)
		signed[string(payloadOf(f, envelope))] = true
		f.Add(envelope)
	}
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":"AAAA"}]}`))
	trust := Trust{Keys: []*PublicKey{key.Public()}}
	f.Fuzz(func(t *testing.T, envelope []byte) {
		if _, err := Verify(envelope, trust, aBundle().Digest, day(10)); err == nil && !signed[string(payloadOf(t, envelope))] {
			t.Errorf("accepted: %s", envelope)
		}
		_, _, _ = Peek(envelope)
	})
}

// A statement that decodes has this one serialisation.
func FuzzDecodeStatement(f *testing.F) {
	key := aKey(f)
	for _, p := range predicates() {
		f.Add(payloadOf(f, mustSign(f, key, p)))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		s, err := decodeStatement(payload)
		if err != nil {
			return
		}
		again, err := encodeStatement(s.Subject, s.Predicate)
		if err != nil || !bytes.Equal(again, payload) {
			t.Errorf("%s\nis written as\n%s (%v)", payload, again, err)
		}
	})
}

// What decodeStrict accepts, encoding/json accepts too, and there is nothing
// in it that could be read in two ways.
func FuzzStrict(f *testing.F) {
	for _, text := range []string{`{}`, `{"a":{"a":[1,{}]}}`, `{"a":1,"A":2}`, `[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]`, `1 2`, `{"K":1,"K":2}`, "\"\xff\""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v any
		if decodeStrict(data, &v) != nil {
			return
		}
		again, err := json.Marshal(v)
		if err != nil || decodeStrict(again, &v) != nil {
			t.Errorf("%q is accepted, and %q is not (%v)", data, again, err)
		}
	})
}

func FuzzReadPublic(f *testing.F) {
	f.Add(string(aKey(f).Public().PEM()))
	f.Add("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ReadPublic("-----BEGIN PUBLIC KEY-----\n" + text)
		if err != nil {
			return
		}
		again, err := ReadPublic(string(key.PEM()))
		if err != nil || again.ID() != key.ID() {
			t.Errorf("%s reads as another key (%v)", key.PEM(), err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	key := aKey(b)
	envelope := mustSign(b, key, predicates()[0])
	trust := Trust{Keys: []*PublicKey{key.Public()}}
	for b.Loop() {
		if _, err := Verify(envelope, trust, aBundle().Digest, day(10)); err != nil {
			b.Fatal(err)
		}
	}
}
