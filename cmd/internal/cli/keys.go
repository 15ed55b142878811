package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

func newKeys(s *streams) *cobra.Command {
	return group(&cobra.Command{Use: "keys", Short: "Make and show the keys that sign evidence"}, newKeysNew(s), newKeysShow(s))
}

func newKeysNew(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:   "new [NAME]",
		Short: "Make a key pair: NAME.key and NAME.pub (default: pipeline)",
		Long: `Make a key pair as cosign does: NAME.key is private, encrypted with the password
in PIPELINE_SIGNING_PASSWORD (an empty one when it is not set), NAME.pub goes
into the repository and into trust of pipeline.yaml.`,
		Example: "  PIPELINE_SIGNING_PASSWORD=... pipeline keys new release",
		Args:    usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			name := "pipeline"
			if len(args) > 0 {
				name = args[0]
			}
			return makeKeys(s, name)
		},
	}
}

// makeKeys writes both files or none, and never over one that is there.
func makeKeys(s *streams, name string) error {
	private, public, err := sign.New([]byte(os.Getenv(sign.PasswordVariable)))
	if err != nil {
		return err
	}
	if err := writeNew(name+".key", private, 0o600); err != nil {
		return err
	}
	if err := writeNew(name+".pub", public, 0o644); err != nil {
		return errors.Join(err, os.Remove(name+".key"))
	}
	_, err = fmt.Fprintf(s.out, "%s.key is private: keep it out of the repository, and name it in %s\n%[1]s.pub is public: commit it, and name it under trust in pipeline.yaml\n", name, sign.KeyVariable)
	return err
}

func writeNew(name string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, fs.ErrExist) {
		return &usageError{fmt.Errorf("%s is there already; keys are never overwritten: choose another name", name)}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

func newKeysShow(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Print the public key of the one that signs",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			signer, err := sign.FromEnvironment(os.Getenv)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "%s", signer.Public().PEM())
			return err
		},
	}
}
