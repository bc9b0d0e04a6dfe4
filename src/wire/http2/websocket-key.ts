/** The handshake value of RFC 6455 §4.2.2, needed where one end speaks HTTP/1.1 and the other RFC 8441, which has none. */
import { createHash } from 'node:crypto'

const suffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** The `Sec-WebSocket-Accept` that answers a key. SHA-1 is what the protocol says; it protects nothing here. */
export const webSocketAccept = (key: string): string =>
  createHash('sha1')
    .update(key + suffix)
    .digest('base64')
