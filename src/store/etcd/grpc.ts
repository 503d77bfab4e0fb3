import { constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'

/** gRPC over HTTP/2 (PROTOCOL-HTTP2.md of the grpc project), without compression. */

/** What a call ended with, other than success. https://grpc.io/docs/guides/status-codes/ */
export class GrpcFailure extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** The server cannot have seen the request. */
    readonly unsent = false,
  ) {
    super(message)
  }
}

export const UNAVAILABLE = 14
export const DEADLINE_EXCEEDED = 4

const FRAME_HEADER = 5

export interface Call {
  send(message: Uint8Array): void
  /** No more messages from here. */
  end(): void
  cancel(): void
}

/** Begins a call. `ended` is told once: undefined for success. */
export function call(
  session: ClientHttp2Session,
  path: string,
  metadata: Readonly<Record<string, string>>,
  on: { message(bytes: Uint8Array): void; ended(failure: GrpcFailure | undefined): void },
): Call {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...metadata,
  })
  let sent = false
  let over = false
  let status: IncomingHttpHeaders | undefined
  const end = (failure: GrpcFailure | undefined): void => {
    if (over) return
    over = true
    on.ended(failure)
  }
  const frames = new Frames()
  // A call that failed at once has its status in the headers.
  stream.on('response', (headers) => {
    if (headers['grpc-status'] !== undefined) status = headers
    else if (headers[':status'] !== 200) status = { 'grpc-status': String(UNAVAILABLE), 'grpc-message': `HTTP ${headers[':status']}` }
  })
  stream.on('trailers', (trailers: IncomingHttpHeaders) => (status = trailers))
  stream.on('data', (chunk: Buffer) => {
    for (const message of frames.take(chunk)) if (!over) on.message(message)
  })
  stream.on('error', (error: Error) => end(new GrpcFailure(UNAVAILABLE, error.message, wasRefused(stream))))
  stream.on('close', () => end(outcome(status, sent && !wasRefused(stream))))
  return {
    send(message) {
      sent = true
      if (!stream.destroyed && !stream.writableEnded) stream.write(frame(message))
    },
    end: () => void (stream.destroyed || stream.end()),
    cancel() {
      over = true
      if (!stream.destroyed) stream.close(constants.NGHTTP2_CANCEL)
    },
  }
}

const wasRefused = (stream: ClientHttp2Stream): boolean => stream.rstCode === constants.NGHTTP2_REFUSED_STREAM

function outcome(status: IncomingHttpHeaders | undefined, seen: boolean): GrpcFailure | undefined {
  if (status === undefined) return new GrpcFailure(UNAVAILABLE, 'the connection ended', !seen)
  const code = Number(status['grpc-status'])
  if (code === 0) return undefined
  return new GrpcFailure(code, decodeURIComponent(String(status['grpc-message'] ?? `status ${code}`)))
}

function frame(message: Uint8Array): Buffer {
  const whole = Buffer.allocUnsafe(FRAME_HEADER + message.length)
  whole[0] = 0
  whole.writeUInt32BE(message.length, 1)
  whole.set(message, FRAME_HEADER)
  return whole
}

/** Puts messages together that arrive in pieces. */
class Frames {
  #pieces: Buffer[] = []
  #length = 0

  take(chunk: Buffer): Buffer[] {
    this.#pieces.push(chunk)
    this.#length += chunk.length
    const messages: Buffer[] = []
    for (;;) {
      const size = this.#wanted()
      if (size === undefined || this.#length < size) return messages
      const whole = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
      messages.push(whole.subarray(FRAME_HEADER, size))
      this.#pieces = whole.length === size ? [] : [whole.subarray(size)]
      this.#length -= size
    }
  }

  /** Bytes of the frame that comes next, if its header is there. */
  #wanted(): number | undefined {
    if (this.#length < FRAME_HEADER) return undefined
    if (this.#pieces[0]!.length < FRAME_HEADER) this.#pieces = [Buffer.concat(this.#pieces)]
    return FRAME_HEADER + this.#pieces[0]!.readUInt32BE(1)
  }
}
