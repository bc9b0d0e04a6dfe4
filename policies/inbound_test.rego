package sallyport.inbound_test

import data.sallyport.inbound

checkout := {
	"route": {"name": "checkout"},
	"peer": {"id": "spiffe://shop.test/edge"},
	"user": {"scopes": ["checkout"]},
}

test_the_edge_checks_out_for_a_user_who_may if inbound.allow with input as checkout

test_a_user_without_the_scope_may_not if {
	not inbound.allow with input as object.union(checkout, {"user": {"scopes": ["read"]}})
}

test_another_peer_may_not if {
	not inbound.allow with input as object.union(checkout, {"peer": {"id": "spiffe://shop.test/orders"}})
}

charge := {
	"route": {"name": "charge"},
	"peer": {"id": "spiffe://shop.test/orders"},
	"caller": {"chain": ["spiffe://shop.test/web", "spiffe://shop.test/edge"]},
}

test_orders_charges_for_a_call_from_the_edge if inbound.allow with input as charge

test_orders_does_not_charge_on_its_own if {
	not inbound.allow with input as object.union(charge, {"caller": {"chain": []}})
}

test_reports_are_for_administrators if {
	inbound.allow with input as {"route": {"name": "report"}, "claims": {"role": "admin"}}
	not inbound.allow with input as {"route": {"name": "report"}, "claims": {"role": "clerk"}}
}
