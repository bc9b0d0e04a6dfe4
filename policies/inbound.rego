# What mesh peers may ask of the service behind a sidecar: this peer, with that user, on this route.
package sallyport.inbound

default allow := false

# Users who may check out start at the edge.
allow if {
	input.route.name == "checkout"
	input.peer.id == "spiffe://shop.test/edge"
	"checkout" in input.user.scopes
}

# Only the web shop places orders, for a user who may check out.
allow if {
	input.route.name == "place-order"
	input.peer.id == "spiffe://shop.test/web"
	"checkout" in input.user.scopes
}

# Money moves when orders asks, and the call began at the edge.
allow if {
	input.route.name == "charge"
	input.peer.id == "spiffe://shop.test/orders"
	"spiffe://shop.test/edge" in input.caller.chain
}

# Reports are for administrators.
allow if {
	input.route.name == "report"
	input.claims.role == "admin"
}
