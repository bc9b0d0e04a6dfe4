import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInboundSidecar, type InboundSidecar } from '../support/inbound-sidecar.ts'

describe('the admin listener', () => {
  let mesh: InboundSidecar
  beforeAll(async () => {
    mesh = await startInboundSidecar({ routes: '    - {name: any, path: "/{rest*}"}' })
    await mesh.get('/a')
  })
  afterAll(() => mesh.stop())

  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    new Promise<{ status: number; type: string; body: string }>((resolve, reject) => {
      const { host, port } = mesh.sidecar.addresses.admin
      const sent = request({ host, port, path, method, headers }, (response) => {
        let body = ''
        response.on('data', (chunk: Buffer) => (body += chunk.toString()))
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            type: response.headers['content-type'] ?? '',
            body,
          }),
        )
      })
      sent.once('error', reject)
      sent.end()
    })

  it('shows metrics that Prometheus can read', async () => {
    const { type, body } = await ask('/metrics')
    expect(type).toContain('version=0.0.4')
    expect(body).toMatch(/^http_server_request_duration_seconds_count\{.*\} 1$/m)
    expect(body).toMatch(
      /^sallyport_svid_expiry_seconds\{identity="spiffe:\/\/test.mesh\/app"\} \d+/m,
    )
  })

  it.each([
    '/',
    '/ui.js',
    '/ui.css',
    '/info',
    '/config_dump',
    '/certs',
    '/catalog',
    '/upstreams',
    '/checks',
    '/decisions',
    '/traces',
  ])('answers %s without a secret', async (path) => {
    const { status, body } = await ask(path)
    expect(status).toBe(200)
    expect(body).not.toContain('PRIVATE KEY')
  })

  it('refuses a name that is not loopback, so that a web page cannot reach it', async () => {
    expect((await ask('/info', { host: 'evil.example' })).status).toBe(421)
    expect((await ask('/info', { host: 'localhost' })).status).toBe(200)
  })

  it('refuses what would change something, and knows no debug path', async () => {
    expect((await ask('/info', {}, 'POST')).status).toBe(405)
    expect((await ask('/debug/heap')).status).toBe(404)
  })
})
