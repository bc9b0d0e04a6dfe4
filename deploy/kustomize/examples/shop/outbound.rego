# Calls within the shop, by workloads of the shop.
package sallyport.outbound

default allow := false

allow if input.service.name == "orders"
