# Which mesh services the application beside a sidecar may call.
package sallyport.outbound

default allow := false

calls := {
	"spiffe://shop.test/edge": {"web"},
	"spiffe://shop.test/web": {"orders"},
	"spiffe://shop.test/orders": {"payments"},
}

allow if input.service.name in calls[input.source_principal]
