# Which calls may leave to third parties, beyond what their entries in the catalog declare.
package sallyport.egress

default allow := false

allow if {
	input.api.declared
	input.api.lifecycle != "retired"
}
