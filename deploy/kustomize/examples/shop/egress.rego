# Calls within the shop, by workloads of the shop.
package sallyport.egress

default allow := false

allow if input.api.declared
