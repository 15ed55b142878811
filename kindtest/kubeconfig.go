package kindtest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ReduceKubeconfig reads the kubeconfig files in source (several are separated
// as in $KUBECONFIG) and returns one that holds nothing but the named context,
// with all certificates and keys inside. An empty context means the only one
// there is; when there are several, it must be named, because a test that runs
// in whatever cluster happens to be current is an accident waiting to happen.
// The result contains credentials.
func ReduceKubeconfig(source, context string) ([]byte, error) {
	config, err := readKubeconfig(source)
	if err != nil {
		return nil, err
	}
	if context, err = chooseContext(source, config, context); err != nil {
		return nil, err
	}
	config.CurrentContext = context
	if err := clientcmdapi.MinifyConfig(config); err != nil {
		return nil, kubeconfigError(source, err)
	}
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		return nil, kubeconfigError(source, err)
	}
	return clientcmd.Write(*config)
}

func readKubeconfig(source string) (*clientcmdapi.Config, error) {
	paths := filepath.SplitList(source)
	if len(paths) == 0 {
		return nil, &EnvironmentError{What: "no kubeconfig is given", Remedy: "name one with --kubeconfig or in $KUBECONFIG"}
	}
	for _, path := range paths {
		// clientcmd skips files that are missing; here each one was asked for.
		if f, err := os.Open(path); err != nil {
			return nil, kubeconfigError(path, errors.Unwrap(err))
		} else {
			f.Close()
		}
	}
	rules := clientcmd.ClientConfigLoadingRules{Precedence: paths}
	config, err := rules.Load()
	if err != nil {
		return nil, kubeconfigError(source, err)
	}
	// So that relative paths of certificates work from the copy.
	if err := clientcmd.ResolveLocalPaths(config); err != nil {
		return nil, kubeconfigError(source, err)
	}
	return config, nil
}

func chooseContext(source string, config *clientcmdapi.Config, context string) (string, error) {
	names := slices.Sorted(maps.Keys(config.Contexts))
	switch {
	case context != "" && slices.Contains(names, context):
		return context, nil
	case context != "":
		return "", kubeconfigError(source, fmt.Errorf("no context %q, there is: %s", context, strings.Join(names, ", ")))
	case len(names) == 1:
		return names[0], nil
	case len(names) == 0:
		return "", kubeconfigError(source, errors.New("it has no context"))
	default:
		return "", &EnvironmentError{
			What:   fmt.Sprintf("kubeconfig %s has %d contexts (%s) and none is named", source, len(names), strings.Join(names, ", ")),
			Remedy: "name the context to test in with the setting integration.cluster.context",
		}
	}
}

func kubeconfigError(path string, err error) error {
	return &EnvironmentError{What: "kubeconfig " + path + " cannot be used", Err: err, Remedy: "check the path and that the file is readable and complete"}
}

// WritePrivate writes data to path so that only this user can read it and
// nobody ever sees half of it. Missing folders are created for this user only.
func WritePrivate(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
