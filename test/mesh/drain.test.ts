import { networkInterfaces } from 'node:os'
import { describe, expect, it } from 'vitest'
import { openHealthListener } from '../../src/listeners/health.ts'
import { startInboundSidecar } from '../support/inbound-sidecar.ts'

const routes = '    - {name: any, path: "/{rest*}", timeout: 5s}'

describe('/drain of the health listener', () => {
  it('makes the sidecar unready at once and answers when nothing is in flight', async () => {
    const mesh = await startInboundSidecar({ routes })
    const { port } = mesh.sidecar.addresses.health
    const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
    let release = (): void => undefined
    mesh.app.answer = (_, connection) => {
      release = () => connection.socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate')
      return undefined
    }
    expect((await ask('/readyz')).status).toBe(200)
    const pending = mesh.get('/slow')
    await expect.poll(() => mesh.app.requests.length).toBe(1)
    let drained = false
    const draining = ask('/drain').then((answer) => {
      drained = true
      return answer.status
    })
    await expect.poll(async () => (await ask('/readyz')).status).toBe(503)
    expect(drained).toBe(false)
    release()
    expect((await pending).status).toBe(200)
    expect(await draining).toBe(200)
    await mesh.stop()
  })

  const outside = Object.values(networkInterfaces())
    .flat()
    .find((each) => each !== undefined && !each.internal && each.family === 'IPv4')?.address

  it.skipIf(outside === undefined)('is not there for anybody outside the pod', async () => {
    let drains = 0
    const listener = await openHealthListener({
      address: { host: '0.0.0.0', port: 0 },
      checks: () => [],
      started: () => true,
      stopping: () => false,
      drain: () => {
        drains += 1
        return Promise.resolve()
      },
    })
    const from = (host: string) => fetch(`http://${host}:${listener.address.port}/drain`)
    expect((await from(outside!)).status).toBe(404)
    expect(drains).toBe(0)
    expect((await from('127.0.0.1')).status).toBe(200)
    expect(drains).toBe(1)
    listener.close()
  })
})
