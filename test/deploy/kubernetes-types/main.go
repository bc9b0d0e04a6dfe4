// Reads manifests from standard input and decodes each with the types of Kubernetes, strictly: a field that the API
// does not have is an error. Kinds of others (cert-manager, the Prometheus operator) are counted and passed over.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

func main() {
	codecs := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict)
	reader := yaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	known, unknown, wrong := 0, 0, 0
	for {
		document, err := reader.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if strings.TrimSpace(string(document)) == "" {
			continue
		}
		_, kind, err := codecs.UniversalDeserializer().Decode(document, nil, nil)
		switch {
		case err == nil:
			known++
		case runtime.IsNotRegisteredError(err):
			unknown++
		default:
			wrong++
			fmt.Fprintf(os.Stderr, "%v: %v\n", kind, err)
		}
	}
	fmt.Printf("known %d, unknown %d, wrong %d\n", known, unknown, wrong)
	if wrong > 0 {
		os.Exit(1)
	}
}
