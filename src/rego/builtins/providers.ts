/** `providers.aws.sign_req`: a request object with the headers of AWS Signature Version 4. */
import { isNumber, toBigInt } from '../numbers.ts'
import { toTerm } from '../value-text.ts'
import {
  isObject,
  objectEntries,
  objectGet,
  objectHas,
  RegoObject,
  RegoSet,
  type ObjectValue,
  type Value,
} from '../values.ts'
import { signRequest, type AwsCredentials } from './aws/sign.ts'
import { bytesOf } from './go/bytes.ts'
import { parseUrl, UrlError } from './go/url.ts'
import { writeJson } from './json/text.ts'
import {
  fail,
  failOperand,
  failType,
  numberOperand,
  objectOperand,
  type FunctionTable,
} from './operand.ts'
import { requestOperand } from './requests.ts'

const configKeys = ['aws_access_key', 'aws_region', 'aws_secret_access_key', 'aws_service']

function text(object: ObjectValue, key: string): string {
  const value = objectGet(object, key)
  return typeof value === 'string' ? value : ''
}

function checkKeys(
  position: number,
  object: ObjectValue,
  keys: readonly string[],
  what: string,
): void {
  const wrong = keys.filter((key) => typeof objectGet(object, key) !== 'string')
  if (wrong.length > 0)
    failOperand(
      position,
      `invalid values for required ${what} parameters(s): ${toTerm(new RegoSet(wrong))}`,
    )
}

function configOperand(value: Value): ObjectValue {
  const config = objectOperand(value, 1)
  const missing = configKeys.filter((key) => !objectHas(config, key))
  if (missing.length > 0) {
    failOperand(2, `missing required AWS config parameters(s): ${toTerm(new RegoSet(missing))}`)
  }
  checkKeys(2, config, configKeys, 'AWS config')
  return config
}

function timestampOperand(value: Value): bigint {
  const number = numberOperand(value, 1)
  const ns = isNumber(number) ? toBigInt(number) : undefined
  if (ns === undefined || BigInt.asIntN(64, ns) !== ns || writtenWithExponent(number)) {
    failOperand(3, 'could not convert time_ns value into a unix timestamp')
  }
  return ns
}

/** OPA takes no time before 1970 that a literal like `-1e9` gives; no other request is signed then either. */
function writtenWithExponent(value: Value): boolean {
  return isNumber(value) && toBigInt(value)! < 0n
}

function headersOf(request: ObjectValue): ReadonlyMap<string, string> {
  const value = objectGet(request, 'headers')
  if (value === undefined) return new Map()
  if (!isObject(value)) failType(0, value, 'object')
  return new Map(
    objectEntries(value).map((entry) => [
      typeof entry.key === 'string' ? entry.key : '',
      typeof entry.value === 'string' ? entry.value : '',
    ]),
  )
}

function bodyOf(request: ObjectValue): Buffer {
  if (objectHas(request, 'raw_body')) return bytesOf(text(request, 'raw_body'))
  const body = objectGet(request, 'body')
  return body === undefined ? Buffer.alloc(0) : bytesOf(writeJson(body))
}

function urlOf(request: ObjectValue) {
  try {
    return parseUrl(text(request, 'url'))
  } catch (error) {
    if (error instanceof UrlError) fail(error.message)
    throw error
  }
}

function payloadSetting(config: ObjectValue): 'signed' | 'unsigned' {
  const setting = objectGet(config, 'disable_payload_signing') ?? false
  if (typeof setting !== 'boolean') {
    failOperand(2, "invalid value for 'disable_payload_signing' in AWS config")
  }
  return setting ? 'unsigned' : 'signed'
}

function sign(requestValue: Value, configValue: Value, timeValue: Value): Value {
  objectOperand(requestValue, 1)
  const config = configOperand(configValue)
  const ns = timestampOperand(timeValue)
  const request = requestOperand(requestValue, 1)
  const headers = headersOf(request)
  checkKeys(1, request, ['method', 'url'], 'request')
  const credentials: AwsCredentials = {
    accessKey: text(config, 'aws_access_key'),
    secretKey: text(config, 'aws_secret_access_key'),
    region: text(config, 'aws_region'),
    sessionToken: text(config, 'aws_session_token'),
    service: text(config, 'aws_service'),
  }
  const url = urlOf(request)
  const method = text(request, 'method')
  const payload = payloadSetting(config)
  const added = signRequest(
    { method, url, headers, body: bodyOf(request), payload },
    credentials,
    ns,
  )
  const result = new RegoObject(
    objectEntries(request).map((entry) => [entry.key, entry.value] as const),
  )
  return result.set('headers', new RegoObject([...headers, ...added]))
}

export const providerFunctions: FunctionTable = {
  'providers.aws.sign_req': (_, request, config, time) => sign(request, config, time),
}
