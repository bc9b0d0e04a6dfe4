import { connect as connectPlain } from 'node:net'
import { describe, expect, it } from 'vitest'
import { issueIdentity } from '../../src/identity/sources/authority-folder.ts'
import { join } from 'node:path'
import { answerOf, readAll, startInboundSidecar } from '../support/inbound-sidecar.ts'

const routes = '    - {name: any, path: "/{rest*}", timeout: 5s}'

describe('a sidecar that stops', () => {
  it('is not ready, finishes what is in flight, takes no more, and is gone', async () => {
    const mesh = await startInboundSidecar({ routes })
    let release = (): void => undefined
    mesh.app.answer = (_, connection) => {
      release = () => connection.socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate')
      return undefined
    }
    const pending = mesh.get('/slow')
    await expect.poll(() => mesh.app.requests.length).toBe(1)
    const stopped = mesh.stop()
    await expect.poll(() => refusesConnections(mesh.port)).toBe(true)
    release()
    const answer = await pending
    expect([answer.status, answer.body]).toEqual([200, 'late'])
    await stopped
  })

  it('tells a kept-alive client to close', async () => {
    const mesh = await startInboundSidecar({ routes })
    const token = mesh.userToken()
    const hop = await mesh.hopToken('web', token)
    const socket = mesh.connectAs('web')
    const all = readAll(socket)
    const request = `GET /a HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer ${token}\r\nX-Sallyport-Hop: ${hop}\r\n\r\n`
    socket.write(request)
    await expect.poll(() => mesh.app.requests.length).toBe(1)
    await mesh.stop()
    const text = await all
    expect(answerOf(text).status).toBe(200)
  })
})

describe('the certificate of the sidecar', () => {
  it('changes for new connections while an open one goes on', async () => {
    const mesh = await startInboundSidecar({ routes })
    const token = mesh.userToken()
    const hop = await mesh.hopToken('web', token)
    const request = `GET /a HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer ${token}\r\nX-Sallyport-Hop: ${hop}\r\n\r\n`
    const open = mesh.connectAs('web')
    let text = ''
    open.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    open.write(request)
    await expect.poll(() => text.split('HTTP/1.1 200').length - 1).toBe(1)
    const before = open.getPeerX509Certificate()!.serialNumber
    const { identity } = mesh.sidecar.core.identity
    const first = identity.current.serial
    issueIdentity(join(mesh.folder, 'certs'), {
      spiffeId: 'spiffe://test.mesh/app',
      now: Date.now(),
      into: join(mesh.folder, 'app'),
    })
    await expect.poll(() => identity.current.serial, { timeout: 10_000 }).not.toBe(first)
    open.write(request)
    await expect.poll(() => text.split('HTTP/1.1 200').length - 1).toBe(2)
    const next = mesh.connectAs('web')
    next.on('error', () => undefined)
    await new Promise((resolve) => next.once('secureConnect', resolve))
    expect(next.getPeerX509Certificate()!.serialNumber).not.toBe(before)
    open.destroy()
    next.destroy()
    await mesh.stop()
  })
})

const refusesConnections = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connectPlain(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', () => resolve(true))
  })
