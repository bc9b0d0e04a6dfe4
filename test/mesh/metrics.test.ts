import { describe, expect, it } from 'vitest'
import { openMetricsListener } from '../../src/listeners/metrics.ts'

describe('the listener for Prometheus', () => {
  it('has the metrics, read only, and nothing else', async () => {
    const listener = await openMetricsListener({
      address: { host: '127.0.0.1', port: 0 },
      contentType: 'text/plain; version=0.0.4',
      text: () => 'up 1\n',
    })
    const ask = (path: string, method = 'GET') =>
      fetch(`http://127.0.0.1:${listener.address.port}${path}`, { method })
    const answer = await ask('/metrics')
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4')
    expect(await answer.text()).toBe('up 1\n')
    expect((await ask('/metrics', 'POST')).status).toBe(405)
    for (const path of ['/', '/config_dump', '/certs', '/metrics/']) {
      expect((await ask(path)).status).toBe(404)
    }
    listener.close()
  })

  it('says which address it cannot have', async () => {
    const parts = { contentType: '', text: () => '' }
    const first = await openMetricsListener({ address: { host: '127.0.0.1', port: 0 }, ...parts })
    await expect(openMetricsListener({ address: first.address, ...parts })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${first.address.port}: EADDRINUSE`,
    )
    first.close()
  })
})
