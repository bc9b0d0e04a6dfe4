/**
 * `http.send`, and the checks of a request object that it shares with request signing.
 *
 * A request is sent only by the hook that the host gives, which decides what may be reached and answers at once. With
 * no hook the call is an error.
 */
import { toTerm } from '../value-text.ts'
import { objectHas, objectKeys, RegoSet, type ObjectValue, type Value } from '../values.ts'
import { fail, failOperand, objectOperand, type FunctionTable } from './operand.ts'

const requestKeys: ReadonlySet<Value> = new Set([
  'body',
  'cache',
  'cache_ignored_headers',
  'caching_mode',
  'enable_redirect',
  'force_cache',
  'force_cache_duration_seconds',
  'force_json_decode',
  'force_yaml_decode',
  'headers',
  'max_retry_attempts',
  'method',
  'raise_error',
  'raw_body',
  'timeout',
  'tls_ca_cert',
  'tls_ca_cert_env_variable',
  'tls_ca_cert_file',
  'tls_client_cert',
  'tls_client_cert_env_variable',
  'tls_client_cert_file',
  'tls_client_key',
  'tls_client_key_env_variable',
  'tls_client_key_file',
  'tls_insecure_skip_verify',
  'tls_server_name',
  'tls_use_system_certs',
  'url',
])

const requiredKeys = ['method', 'url']

/** The request, when it has the keys it must have and no other. */
export function requestOperand(value: Value, position: number): ObjectValue {
  const request = objectOperand(value, position)
  const unknown = objectKeys(request).filter((key) => !requestKeys.has(key))
  if (unknown.length > 0) {
    failOperand(position, `invalid request parameters(s): ${toTerm(new RegoSet(unknown))}`)
  }
  const missing = requiredKeys.filter((key) => !objectHas(request, key))
  if (missing.length > 0) {
    failOperand(position, `missing required request parameters(s): ${toTerm(new RegoSet(missing))}`)
  }
  return request
}

export const requestFunctions: FunctionTable = {
  'http.send': (context, request) => {
    const checked = requestOperand(request, 1)
    if (context.httpSend === undefined)
      fail('requests are switched off; the configuration must allow the host')
    return context.httpSend(checked)
  },
}
