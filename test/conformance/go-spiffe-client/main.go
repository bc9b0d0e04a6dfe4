// A client made of go-spiffe alone: takes its identity from the Workload API at the first argument, asks for a JWT-SVID
// and validates it, then calls a mesh listener at the second argument and prints what it says.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

const audience = "spiffe://shop.local/payments"

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	return value
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	agent := workloadapi.WithAddr(os.Args[1])
	options := workloadapi.WithClientOptions(agent)
	x509 := must(workloadapi.NewX509Source(ctx, options))
	fmt.Println("svid", must(x509.GetX509SVID()).ID)
	fmt.Println("bundles", must(workloadapi.FetchX509Bundles(ctx, agent)).Len())
	keys := must(workloadapi.NewJWTSource(ctx, options))
	token := must(keys.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience}))
	fmt.Println("jwt", must(jwtsvid.ParseAndValidate(token.Marshal(), keys, []string{audience})).ID)
	server := spiffeid.RequireFromString("spiffe://shop.local/server")
	config := tlsconfig.MTLSClientConfig(x509, x509, tlsconfig.AuthorizeID(server))
	connection := must(tls.Dial("tcp", os.Args[2], config))
	fmt.Println("mtls", string(must(io.ReadAll(connection))))
}
