/**
 * The messages of the SPIFFE Workload API (SPIFFE Workload API §5 and §6) and the paths of its calls. The service has no
 * package, so its paths begin with its bare name.
 */
import { bytesAt, mapAt, readFields, textAt, textsAt, writeField, writeMap } from './protobuf.ts'

/** The calls that are known here. */
export const paths = {
  fetchX509Svid: '/SpiffeWorkloadAPI/FetchX509SVID',
  fetchX509Bundles: '/SpiffeWorkloadAPI/FetchX509Bundles',
  fetchJwtSvid: '/SpiffeWorkloadAPI/FetchJWTSVID',
  fetchJwtBundles: '/SpiffeWorkloadAPI/FetchJWTBundles',
  validateJwtSvid: '/SpiffeWorkloadAPI/ValidateJWTSVID',
} as const

/** Metadata that every call must carry, against requests that a browser or proxy was tricked into (§4 of Endpoint). */
export const securityHeader = { name: 'workload.spiffe.io', value: 'true' } as const

/** One X.509-SVID as the API sends it. */
export interface X509SvidMessage {
  readonly spiffeId: string
  /** DER certificates one after another, leaf first. */
  readonly chain: Buffer
  /** PKCS#8 DER. */
  readonly key: Buffer
  /** DER certificates one after another. */
  readonly bundle: Buffer
  readonly hint: string
}

export interface X509SvidResponse {
  readonly svids: readonly X509SvidMessage[]
  /** DER of CRLs. */
  readonly crls: readonly Buffer[]
  /** DER certificates one after another, by the SPIFFE ID of the trust domain. */
  readonly federated: ReadonlyMap<string, Buffer>
}

export const writeX509SvidResponse = (response: X509SvidResponse): Buffer =>
  Buffer.concat([
    ...response.svids.map((svid) =>
      writeField(
        1,
        Buffer.concat([
          writeField(1, svid.spiffeId),
          writeField(2, svid.chain),
          writeField(3, svid.key),
          writeField(4, svid.bundle),
          writeField(5, svid.hint),
        ]),
      ),
    ),
    ...response.crls.map((crl) => writeField(2, crl)),
    writeMap(3, response.federated),
  ])

/** @throws {ProtobufError} */
export const readX509SvidResponse = (message: Buffer): X509SvidResponse => {
  const fields = readFields(message)
  return {
    svids: (fields.get(1) ?? []).map((bytes) => {
      const svid = readFields(bytes)
      return {
        spiffeId: textAt(svid, 1),
        chain: bytesAt(svid, 2),
        key: bytesAt(svid, 3),
        bundle: bytesAt(svid, 4),
        hint: textAt(svid, 5),
      }
    }),
    crls: fields.get(2) ?? [],
    federated: mapAt(fields, 3),
  }
}

export interface X509BundlesResponse {
  readonly crls: readonly Buffer[]
  readonly bundles: ReadonlyMap<string, Buffer>
}

export const writeX509BundlesResponse = (response: X509BundlesResponse): Buffer =>
  Buffer.concat([...response.crls.map((crl) => writeField(1, crl)), writeMap(2, response.bundles)])

/** JWT bundles by the SPIFFE ID of the trust domain, each the text of a JWKS. */
export const writeJwtBundlesResponse = (bundles: ReadonlyMap<string, Buffer>): Buffer =>
  writeMap(1, bundles)

/** @throws {ProtobufError} */
export const readJwtBundlesResponse = (message: Buffer): ReadonlyMap<string, Buffer> =>
  mapAt(readFields(message), 1)

export interface JwtSvidRequest {
  readonly audiences: readonly string[]
  /** Empty for every identity of the workload. */
  readonly spiffeId: string
}

export const writeJwtSvidRequest = (request: JwtSvidRequest): Buffer =>
  Buffer.concat([
    ...request.audiences.map((audience) => writeField(1, audience)),
    ...(request.spiffeId === '' ? [] : [writeField(2, request.spiffeId)]),
  ])

/** @throws {ProtobufError} */
export const readJwtSvidRequest = (message: Buffer): JwtSvidRequest => {
  const fields = readFields(message)
  return { audiences: textsAt(fields, 1), spiffeId: textAt(fields, 2) }
}

/** One JWT-SVID: a compact JWS. */
export interface JwtSvid {
  readonly spiffeId: string
  readonly token: string
  readonly hint: string
}

export const writeJwtSvidResponse = (svids: readonly JwtSvid[]): Buffer =>
  Buffer.concat(
    svids.map((svid) =>
      writeField(
        1,
        Buffer.concat([
          writeField(1, svid.spiffeId),
          writeField(2, svid.token),
          writeField(3, svid.hint),
        ]),
      ),
    ),
  )

/** @throws {ProtobufError} */
export const readJwtSvidResponse = (message: Buffer): readonly JwtSvid[] =>
  (readFields(message).get(1) ?? []).map((bytes) => {
    const svid = readFields(bytes)
    return { spiffeId: textAt(svid, 1), token: textAt(svid, 2), hint: textAt(svid, 3) }
  })
