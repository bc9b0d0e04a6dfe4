/**
 * Every name that leaves this process: span attributes, span events, error types and metrics, each written once.
 *
 * Used by all stages, through these constants only; a span refuses a name that is not listed here, so that adding
 * one is a reviewed change. Names follow OpenTelemetry's semantic conventions 1.45 where one exists; the text is
 * kept here because the published package of unstable names is very large. Holds no logic.
 */

/** Span attributes. The comment gives the unit or the form where the name does not. */
export const attribute = {
  httpMethod: 'http.request.method',
  httpMethodOriginal: 'http.request.method_original',
  httpStatus: 'http.response.status_code',
  httpResendCount: 'http.request.resend_count',
  httpRoute: 'http.route',
  urlFull: 'url.full',
  urlPath: 'url.path',
  urlQuery: 'url.query',
  urlScheme: 'url.scheme',
  urlTemplate: 'url.template',
  userAgent: 'user_agent.original',
  clientAddress: 'client.address',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  networkPeerAddress: 'network.peer.address',
  networkPeerPort: 'network.peer.port',
  networkProtocolName: 'network.protocol.name',
  networkProtocolVersion: 'network.protocol.version',
  rpcSystem: 'rpc.system.name',
  rpcMethod: 'rpc.method',
  rpcMethodOriginal: 'rpc.method_original',
  rpcStatus: 'rpc.response.status_code',
  /** Deprecated by OpenTelemetry, but the only one that Jaeger's page knows; both are set. */
  peerService: 'peer.service',
  servicePeerName: 'service.peer.name',
  servicePeerNamespace: 'service.peer.namespace',
  errorType: 'error.type',
  tlsVersion: 'tls.protocol.version',
  tlsCipher: 'tls.cipher',
  tlsNextProtocol: 'tls.next_protocol',
  tlsEstablished: 'tls.established',
  tlsResumed: 'tls.resumed',
  tlsServerSubject: 'tls.server.subject',
  tlsServerIssuer: 'tls.server.issuer',
  tlsServerNotAfter: 'tls.server.not_after',
  tlsServerHash: 'tls.server.hash.sha256',
  ruleName: 'security_rule.name',
  ruleset: 'security_rule.ruleset.name',
  ruleVersion: 'security_rule.version',
  /** HMAC of the subject, never the subject. */
  endUser: 'enduser.pseudo.id',
  direction: 'sallyport.direction',
  route: 'sallyport.route',
  stage: 'sallyport.stage',
  code: 'sallyport.code',
  decision: 'sallyport.decision',
  decisionId: 'sallyport.decision_id',
  mode: 'sallyport.mode',
  ruleLocation: 'sallyport.rule.location',
  owner: 'sallyport.catalog.owner',
  purpose: 'sallyport.catalog.purpose',
  dataClass: 'sallyport.catalog.data_class',
  lifecycle: 'sallyport.catalog.lifecycle',
  dependencies: 'sallyport.catalog.dependencies',
  operation: 'sallyport.catalog.operation',
  credentialId: 'sallyport.credential.id',
  /** Whole days. */
  credentialAge: 'sallyport.credential.age_days',
  credentialRotated: 'sallyport.credential.rotated_at',
  requestBytes: 'sallyport.request.bytes',
  requestSchemaValid: 'sallyport.request.schema.valid',
  requestRedactions: 'sallyport.request.redactions',
  responseBytes: 'sallyport.response.bytes',
  responseSchemaValid: 'sallyport.response.schema.valid',
  responseRedactions: 'sallyport.response.redactions',
  vendorRequestId: 'sallyport.vendor.request_id',
  hopCaller: 'sallyport.hop.caller',
  hopCallee: 'sallyport.hop.callee',
  hopTransaction: 'sallyport.hop.transaction',
  /** Microseconds. */
  policyMicros: 'sallyport.policy.us',
  queueMicros: 'sallyport.queue.us',
  tunnelBytesSent: 'sallyport.tunnel.bytes_sent',
  tunnelBytesReceived: 'sallyport.tunnel.bytes_received',
  /** On a link: why it is there (`restarted`, `lost-context`). */
  linkReason: 'sallyport.link.reason',
  retryAttempt: 'sallyport.retry.attempt',
  /** Milliseconds. */
  retryDelay: 'sallyport.retry.delay_ms',
  breakerState: 'sallyport.breaker.state',
  redactionCount: 'sallyport.redaction.count',
  redactionPlace: 'sallyport.redaction.place',
  virtual: 'sallyport.virtual',
} as const

/** A name that a span accepts. */
export type AttributeName = (typeof attribute)[keyof typeof attribute]

/** Resource attributes: facts of the process, the same on every span. */
export const resourceAttribute = {
  serviceName: 'service.name',
  serviceVersion: 'service.version',
  serviceNamespace: 'service.namespace',
  serviceInstance: 'service.instance.id',
  distroName: 'telemetry.distro.name',
  distroVersion: 'telemetry.distro.version',
  sdkLanguage: 'telemetry.sdk.language',
  sdkName: 'telemetry.sdk.name',
  sdkVersion: 'telemetry.sdk.version',
  hostName: 'host.name',
  hostArch: 'host.arch',
  processId: 'process.pid',
  processRuntimeName: 'process.runtime.name',
  processRuntimeVersion: 'process.runtime.version',
  spiffeId: 'sallyport.spiffe_id',
} as const

/** Span events. */
export const event = {
  refused: 'sallyport.refused',
  wouldRefuse: 'sallyport.would_refuse',
  retry: 'sallyport.retry',
  breaker: 'sallyport.breaker',
  redaction: 'sallyport.redaction',
  credentialFallback: 'sallyport.credential.fallback',
  reviewOverdue: 'sallyport.review_overdue',
  upgraded: 'sallyport.upgraded',
} as const

/** A name that {@link Span.event} accepts. */
export type EventName = (typeof event)[keyof typeof event]

/** The closed list of `error.type` values beside HTTP status codes, each once, for spans and metrics alike. */
export const errorTypes = [
  'policy_denied',
  'policy_failed',
  'undeclared_host',
  'undeclared_operation',
  'caller_not_listed',
  'data_class',
  'review_overdue',
  'guarded_address',
  'dns_private_ip',
  'dns_failed',
  'credential_missing',
  'credential_expired',
  'credential_leak',
  'request_schema',
  'response_schema',
  'response_too_large',
  'response_distrusted',
  'redirect_undeclared',
  'rate_limited',
  'concurrency_limited',
  'quota_exhausted',
  'breaker_open',
  'timeout',
  'connect_failed',
  'connection_reset',
  'tls_untrusted',
  'tls_pin_mismatch',
  'tls_expired',
  'tls_failed',
  'identity_mismatch',
  'peer_unauthenticated',
  'token_missing',
  'token_invalid',
  'keys_unavailable',
  'route_unknown',
  'request_malformed',
  'request_too_large',
  'client_gone',
  'draining',
  'audit_unavailable',
  'internal',
] as const

/** One value of `error.type`: a word of {@link errorTypes} or an HTTP status code as text. */
export type ErrorType = (typeof errorTypes)[number] | `${number}`

/** The scope and the distribution that every span names. */
export const scope = 'sallyport'

/** Metrics, as Prometheus reads them: base unit in the name, `_total` on counters. */
export const metric = {
  serverDuration: 'http_server_request_duration_seconds',
  clientDuration: 'http_client_request_duration_seconds',
  serverActive: 'http_server_active_requests',
  clientActive: 'http_client_active_requests',
  clientConnections: 'http_client_open_connections',
  serverConnections: 'sallyport_listener_connections',
  handshakes: 'sallyport_tls_handshakes_total',
  refusals: 'sallyport_refusals_total',
  policyDecisions: 'sallyport_policy_decisions_total',
  policyEvaluation: 'sallyport_policy_eval_seconds',
  policyInfo: 'sallyport_bundle_info',
  tokenVerifications: 'sallyport_jwt_verifications_total',
  tokenCache: 'sallyport_token_cache_total',
  hopTokensMinted: 'sallyport_hop_tokens_minted_total',
  keySetAge: 'sallyport_jwks_age_seconds',
  keySetFetches: 'sallyport_jwks_fetches_total',
  identityExpiry: 'sallyport_svid_expiry_seconds',
  identityRotations: 'sallyport_svid_rotations_total',
  connectionsRevoked: 'sallyport_connections_revoked_total',
  configReloads: 'sallyport_config_reloads_total',
  configStale: 'sallyport_config_stale',
  configInfo: 'sallyport_config_info',
  egressCalls: 'sallyport_egress_calls_total',
  egressUndeclared: 'sallyport_egress_undeclared_total',
  egressBytes: 'sallyport_egress_bytes_total',
  egressOverhead: 'sallyport_egress_overhead_seconds',
  contractViolations: 'sallyport_contract_violations_total',
  leaksBlocked: 'sallyport_credential_leaks_total',
  reviewOverdue: 'sallyport_catalog_review_overdue',
  catalogEntries: 'sallyport_catalog_entries',
  credentialAge: 'sallyport_credential_age_days',
  credentialFetches: 'sallyport_credential_fetches_total',
  credentialFallbacks: 'sallyport_credential_fallbacks_total',
  limitQueue: 'sallyport_limit_queue_length',
  breakerState: 'sallyport_breaker_open',
  retries: 'sallyport_retries_total',
  bypassSockets: 'sallyport_bypass_sockets',
  spans: 'sallyport_otel_spans_total',
  spansDropped: 'sallyport_otel_dropped_spans_total',
  spanQueue: 'sallyport_otel_span_queue_length',
  attributesUnlisted: 'sallyport_otel_unlisted_attributes_total',
  auditRecords: 'sallyport_audit_records_total',
  auditDropped: 'sallyport_audit_dropped_total',
  auditHealthy: 'sallyport_audit_healthy',
  auditQueue: 'sallyport_audit_queue_length',
  logsDropped: 'sallyport_log_lines_dropped_total',
  seriesFolded: 'sallyport_metric_series_folded_total',
  eventLoopLag: 'sallyport_event_loop_lag_seconds',
  residentMemory: 'process_resident_memory_bytes',
  processorTime: 'process_cpu_seconds_total',
  startTime: 'process_start_time_seconds',
  openDescriptors: 'process_open_fds',
} as const

/** A metric's name. */
export type MetricName = (typeof metric)[keyof typeof metric]
