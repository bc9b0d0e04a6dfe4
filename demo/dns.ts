/** A name server for the demo alone: it answers A questions for the stand-in vendor, and that nothing else exists. */
import { createSocket, type Socket } from 'node:dgram'

/** Starts it on loopback; `names` maps a name to an IPv4 address. Gives its port. */
export const startDns = (
  names: Readonly<Record<string, string>>,
): Promise<{ readonly port: number; close(): void }> =>
  new Promise((resolve, reject) => {
    const socket: Socket = createSocket('udp4')
    socket.once('error', reject)
    socket.on('message', (question, sender) => {
      socket.send(answerTo(question, names), sender.port, sender.address)
    })
    socket.bind(0, '127.0.0.1', () =>
      resolve({ port: socket.address().port, close: () => socket.close() }),
    )
  })

const answerTo = (question: Buffer, names: Readonly<Record<string, string>>): Buffer => {
  const labels: string[] = []
  let at = 12
  while (question[at] !== 0) {
    const length = question[at]!
    labels.push(question.toString('latin1', at + 1, at + 1 + length).toLowerCase())
    at += length + 1
  }
  const end = at + 5
  const address = names[labels.join('.')]
  const isA = question.readUInt16BE(at + 1) === 1
  const found = address !== undefined && isA
  const header = Buffer.from(question.subarray(0, 12))
  header.writeUInt16BE(address === undefined ? 0x8183 : 0x8180, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(found ? 1 : 0, 6)
  header.writeUInt32BE(0, 8)
  const parts = [header, question.subarray(12, end)]
  if (found) {
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4])
    parts.push(record, Buffer.from(address.split('.').map(Number)))
  }
  return Buffer.concat(parts)
}
