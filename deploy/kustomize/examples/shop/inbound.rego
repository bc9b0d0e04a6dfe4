# Calls within the shop, by workloads of the shop.
package sallyport.inbound

default allow := false

allow if startswith(input.peer.id, "spiffe://shop.local/ns/shop/")
