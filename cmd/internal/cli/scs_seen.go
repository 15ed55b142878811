package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

// seen is the newest promotion of an environment that this machine or, with
// online, the system's registry has met: a branch that shows an older one was
// played again.
func (s *systemSession) seen(ctx context.Context, r *rules, env string, online bool) (passport.Seen, error) {
	seen := s.remembered(env)
	own, err := s.own()
	if err != nil || own == nil || !online {
		return seen, err
	}
	other, err := promote.ReadSeen(ctx, own, env, r.Rules)
	if other.Sequence > seen.Sequence {
		seen = other
	}
	return seen, err
}

func (s *systemSession) memory(env string) string {
	where := evidence.Sum([]byte(s.Registry + "\x00" + s.Name + "\x00" + env))
	return filepath.Join(s.cache, "environments", where.Hex()+".json")
}

// remembered is what this machine has met; nothing where it cannot be read.
func (s *systemSession) remembered(env string) passport.Seen {
	var seen passport.Seen
	data, err := os.ReadFile(s.memory(env))
	if err != nil || json.Unmarshal(data, &seen) != nil {
		return passport.Seen{}
	}
	return seen
}

// meet remembers a promotion that was verified.
func (s *systemSession) meet(p *passport.Passport) error {
	if !p.Valid() || p.Sequence <= s.remembered(p.Environment).Sequence {
		return nil
	}
	data, err := json.Marshal(passport.Seen{Sequence: p.Sequence, ID: p.ID})
	if err != nil {
		return err
	}
	return evidence.WriteFile(s.memory(p.Environment), data)
}
