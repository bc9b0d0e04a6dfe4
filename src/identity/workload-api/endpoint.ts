/** Where the SPIFFE Workload API listens (SPIFFE Workload Endpoint §4): a Unix socket, or TCP at a literal address. */
import { isIP } from 'node:net'
import { IdentityFileError } from '../identity-error.ts'

/**
 * The address of an endpoint in the form that gRPC takes.
 *
 * @param text `unix:///path/agent.sock` or `tcp://127.0.0.1:8000`
 * @throws IdentityFileError when it is neither, or names a host instead of an address
 */
export const endpointTarget = (text: string): string => {
  const problem = (got: string) =>
    new IdentityFileError({
      file: text === '' ? 'SPIFFE_ENDPOINT_SOCKET' : text,
      expected: 'unix:///path/to/agent.sock or tcp://IP:port',
      got,
      fix: 'set identity.source.workload_api.socket or SPIFFE_ENDPOINT_SOCKET',
    })
  if (text === '') throw problem('nothing')
  const url = URL.parse(text)
  if (!url) throw problem('something that is not an address')
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '')
    throw problem('an address with a query, a fragment or user information')
  if (url.protocol === 'unix:') {
    const path = decodeURIComponent(url.pathname)
    if (url.host !== '' || !path.startsWith('/') || path === '/')
      throw problem('a path that is not absolute')
    return `unix:${path}`
  }
  if (url.protocol !== 'tcp:') throw problem(`the scheme ${url.protocol}`)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (isIP(host) === 0) throw problem('a host name instead of an address')
  if (url.port === '' || (url.pathname !== '' && url.pathname !== '/'))
    throw problem('no port, or a path')
  return isIP(host) === 6 ? `[${host}]:${url.port}` : `${host}:${url.port}`
}
