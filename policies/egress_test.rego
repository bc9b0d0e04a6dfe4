package sallyport.egress_test

import data.sallyport.egress

test_a_declared_api_may_be_called if {
	egress.allow with input as {"api": {"declared": true, "lifecycle": "production"}}
}

test_an_api_that_nobody_declared_may_not if {
	not egress.allow with input as {"api": {"declared": false, "lifecycle": "production"}}
}

test_a_retired_api_may_not if {
	not egress.allow with input as {"api": {"declared": true, "lifecycle": "retired"}}
}

test_a_request_without_an_api_may_not if not egress.allow with input as {}
