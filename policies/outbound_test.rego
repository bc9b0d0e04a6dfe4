package sallyport.outbound_test

import data.sallyport.outbound

cases := {
	"the edge calls web": {"from": "edge", "to": "web", "allowed": true},
	"web calls orders": {"from": "web", "to": "orders", "allowed": true},
	"orders calls payments": {"from": "orders", "to": "payments", "allowed": true},
	"web does not call payments": {"from": "web", "to": "payments", "allowed": false},
	"a stranger calls nobody": {"from": "stranger", "to": "web", "allowed": false},
}

test_calls[name] if {
	some name, c in cases
	principal := sprintf("spiffe://shop.test/%s", [c.from])
	outbound.allow == c.allowed with input as {"source_principal": principal, "service": {"name": c.to}}
}

test_a_call_of_nobody_is_denied if not outbound.allow with input as {"service": {"name": "web"}}
